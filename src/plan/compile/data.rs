//! Data files: names, columns, rows.
//!
//! Pure. The files were read with the scenario (`scenario::inputs`); what they hold stays there.

use super::Context;
use crate::diag::codes;
use crate::plan::DataPlan;
use crate::scenario::written::Workload;

pub(super) fn compile(context: &mut Context<'_>, workload: &Workload, path: &str) -> Vec<DataPlan> {
    let path = format!("{path}.data");
    let names: Vec<(String, String)> = workload
        .data
        .iter()
        .enumerate()
        .map(|(number, data)| (data.name.clone(), format!("{path}[{number}].name")))
        .collect();
    context.unique("data file", &names);
    let mut plans = Vec::new();
    for (number, data) in workload.data.iter().enumerate() {
        if data.name.contains('.') {
            context.report(
                &codes::BAD_VALUE,
                &format!("{path}[{number}].name"),
                "the name of a data file has a dot",
                "expected none: `{{ data.NAME.COLUMN }}` would be unclear",
                None,
            );
        }
        let Some(input) = context.inputs.get(&format!("{path}[{number}].file")) else {
            continue;
        };
        plans.push(DataPlan {
            name: data.name.clone(),
            file: input.path.clone(),
            columns: input.columns.clone(),
            rows: input.rows,
            pick: data.pick,
        });
    }
    plans
}
