//! The tables in README.md are made from the registries and from what the benchmarks kept; this holds them together.
//! `BLESS=1 cargo test --test readme` writes them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write;
use std::path::Path;

use mcpload::check::kinds::CHECKS;
use mcpload::cli::exit::Exit;
use mcpload::fault::kinds::FAULTS;
use mcpload::fleet::drivers::DRIVERS;
use mcpload::load::profiles::PROFILES;
use mcpload::registry::{Acts, Family, KindInfo};
use mcpload::report::kinds::REPORTS;

fn kinds() -> String {
    let mut text = String::from("| family | kind | what it is |\n|---|---|---|\n");
    let mut family = |family: Family, infos: Vec<&KindInfo>| {
        for info in infos.into_iter().filter(|info| info.acts == Acts::Now) {
            let _ = writeln!(
                text,
                "| {} | `{}` | {} |",
                family.noun(),
                info.name,
                info.summary
            );
        }
    };
    family(
        Family::Driver,
        DRIVERS.iter().map(|kind| &kind.info).collect(),
    );
    family(
        Family::Profile,
        PROFILES.iter().map(|kind| &kind.info).collect(),
    );
    family(
        Family::Fault,
        FAULTS.iter().map(|kind| &kind.info).collect(),
    );
    family(
        Family::Check,
        CHECKS.iter().map(|kind| &kind.info).collect(),
    );
    family(
        Family::Report,
        REPORTS.iter().map(|kind| &kind.info).collect(),
    );
    text
}

fn exit_codes() -> String {
    let mut text = String::from("| code | meaning |\n|---|---|\n");
    for exit in Exit::ALL {
        let _ = writeln!(text, "| {} | {} |", exit.code(), exit.meaning());
    }
    text
}

/// What `ci/bench.sh` kept last.
fn benchmarks() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/benchmarks/summary.md");
    std::fs::read_to_string(path).unwrap()
}

/// `readme` with what stands between the marks of `name` replaced.
fn replaced(readme: &str, name: &str, table: &str) -> String {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = readme.split_once(&open).unwrap();
    let (_, after) = rest.split_once(&close).unwrap();
    format!("{before}{open}{table}{close}{after}")
}

#[test]
fn the_tables_of_the_readme_are_those_of_the_registries_and_the_benchmarks() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let tables = [
        ("kinds", kinds()),
        ("exit-codes", exit_codes()),
        ("benchmarks", benchmarks()),
    ];
    let right = tables.iter().fold(readme.clone(), |text, (name, table)| {
        replaced(&text, name, table)
    });
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &right).unwrap();
    }
    assert!(
        readme == right || std::env::var_os("BLESS").is_some(),
        "README.md is behind; BLESS=1 cargo test --test readme writes it"
    );
}
