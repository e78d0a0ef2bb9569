//! Places, quoting and draws of templates; what comes from files and answers is arbitrary.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::load::data::{DataSet, DataTable};
use crate::model::Seed;
use crate::model::seed::Purpose;
use crate::plan::{Pick, WorkloadPlan};

fn kept(value: &Value) -> BTreeMap<String, Value> {
    BTreeMap::from([("it".to_owned(), value.clone())])
}

fn with(
    template: &Template,
    kept: &BTreeMap<String, Value>,
    data: Rows<'_>,
) -> Result<String, FillError> {
    let context = Context {
        counter: 12,
        client: 3,
        session: 2,
        uid: Uid {
            seed: Seed(0x5eed),
            workload: 0,
            arrival: 12,
        },
        data,
        kept,
    };
    let mut out = String::new();
    let mut generator = Seed(1).stream(Purpose::Arrival, 0, 0);
    template.fill(&context, &mut generator, &mut out)?;
    Ok(out)
}

fn filled(template: &Template) -> String {
    with(template, &BTreeMap::new(), Rows::default()).unwrap()
}

/// A file of one cell, and its place in a plan.
fn file(cell: &str) -> (WorkloadPlan, DataTable) {
    let mut workload = WorkloadPlan::new("main", 1, Vec::new());
    workload.data = vec![DataPlan {
        name: "users".to_owned(),
        file: "users.csv".to_owned(),
        columns: vec!["id".to_owned(), "name".to_owned()],
        rows: 1,
        pick: Pick::Sequential,
    }];
    let text = format!("id,name\n7,\"{}\"\n", cell.replace('"', "\"\""));
    (workload, DataTable::parse(text.as_bytes()).unwrap())
}

#[test]
fn places_are_filled_in_and_numbers_keep_their_type() {
    let value = json!({
        "n": "{{ counter }}", "who": "client {{client}}!", "id": "{{ uid }}", "hex": "{{ random.hex(20) }}",
        "int": "{{ random.int(-3, -3) }}", "list": [1, null, true, "plain \"quoted\""], "session": "{{ session }}",
    });
    let text = filled(&Template::json(&value, &[]).unwrap());
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read["n"], 12);
    assert_eq!(read["who"], "client 3!");
    assert_eq!(read["id"], "5eed-0-12");
    assert_eq!(read["hex"].as_str().unwrap().len(), 20);
    assert_eq!(read["int"], -3);
    assert_eq!(read["list"], value["list"]);
    assert_eq!(read["session"], 2);
}

#[test]
fn the_same_draws_make_the_same_text() {
    let arguments = Template::json(&json!({"text": "{{ random.hex(64) }}"}), &[]).unwrap();
    let expected = Template::text("{{ random.hex(64) }}", &[]).unwrap();
    assert_eq!(
        filled(&arguments),
        format!("{{\"text\":\"{}\"}}", filled(&expected))
    );
}

#[test]
fn draws_are_taken_in_the_order_of_the_text_and_nothing_else_takes_one() {
    let plain = Template::text("{{ random.hex(8) }} {{ random.int(0, 999) }}", &[]).unwrap();
    let kept_between = "{{ random.hex(8) }} {{ kept.it }}{{ random.int(0, 999) }}";
    let kept_between = Template::text(kept_between, &[]).unwrap();
    let text = with(&kept_between, &kept(&json!("")), Rows::default()).unwrap();
    assert_eq!(text, filled(&plain));
    // A stored seed must mean the same run in every later version.
    assert_eq!(filled(&plain), "3c4b894a 829");
}

#[test]
fn what_is_kept_keeps_its_type_where_it_stands_alone() {
    let template = Template::json(&json!(["{{ kept.it }}", "<{{ kept.it }}>"]), &[]).unwrap();
    for (value, inside) in [
        (json!("a\"b"), "<a\"b>"),
        (json!(4), "<4>"),
        (json!(null), "<null>"),
        (json!({"a": ["x"]}), "<{\"a\":[\"x\"]}>"),
    ] {
        let text = with(&template, &kept(&value), Rows::default()).unwrap();
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read, json!([value, inside]));
    }
    let text = Template::text("{{ kept.it }}", &[]).unwrap();
    let text = with(&text, &kept(&json!("a\"b")), Rows::default()).unwrap();
    assert_eq!(text, "a\"b");
}

#[test]
fn what_was_not_kept_is_an_error() {
    let template = Template::json(&json!({"a": "{{ kept.other }}"}), &[]).unwrap();
    let error = with(&template, &kept(&json!(1)), Rows::default()).unwrap_err();
    assert_eq!(error, FillError::NothingKept("other".to_owned()));
}

#[test]
fn a_cell_of_a_file_is_a_text() {
    let (workload, table) = file("B, \"ob\"");
    let value = json!({"id": "{{ data.users.id }}", "name": "<{{ data.users.name }}>"});
    let template = Template::json(&value, &workload.data).unwrap();
    let set = DataSet::new(Seed(1), &workload, vec![table]);
    let text = with(&template, &BTreeMap::new(), set.rows(0, 0)).unwrap();
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read, json!({"id": "7", "name": "<B, \"ob\">"}));
    let missing = with(&template, &BTreeMap::new(), Rows::default());
    assert_eq!(missing, Err(FillError::NoCell));
}

#[test]
fn what_is_no_template_is_refused() {
    let (workload, _) = file("x");
    for text in [
        "{{ nope }}",
        "{{ random.int(5, 1) }}",
        "{{ counter",
        "{{ data.users.age }}",
        "{{ data.people.id }}",
    ] {
        assert!(Template::text(text, &workload.data).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn text_without_templates_is_the_json_that_it_was(text in "[^{]*") {
        let template = Template::json(&json!([&text]), &[]).unwrap();
        prop_assert!(template.is_constant());
        prop_assert_eq!(serde_json::from_str::<Value>(&filled(&template)).unwrap(), json!([text]));
    }

    #[test]
    fn whatever_stands_in_a_file_or_was_kept_the_arguments_are_json(cell in any::<String>(), text in any::<String>()) {
        let (workload, table) = file(&cell);
        let value = json!(["{{ data.users.name }}", "{{ kept.it }}", "{{ data.users.name }}{{ kept.it }}"]);
        let template = Template::json(&value, &workload.data).unwrap();
        let set = DataSet::new(Seed(1), &workload, vec![table]);
        let filled = with(&template, &kept(&json!(text)), set.rows(0, 0)).unwrap();
        let read: Value = serde_json::from_str(&filled).unwrap();
        prop_assert_eq!(read, json!([cell, text, format!("{cell}{text}")]));
    }
}
