//! The profiles. Adding one: a file below `profiles/` that ends in `KIND`, and a line here.
//!
//! Pure. Rates that change have one thing in common: the number of arrivals that are intended up to a moment, a curve that only
//! rises. Arrival k is due where the curve reaches k (`spacing`), so counts are exact and nothing drifts. The curves are in
//! `curve`, what closed profiles share in `people`.

use super::Profile;
use crate::registry::Kind;

mod churn;
mod constant;
mod curve;
mod hold;
mod iterations;
mod people;
mod poisson;
mod ramp;
mod ramping_users;
pub mod replay;
mod sine;
mod spacing;
mod spike;
mod steps;
#[cfg(test)]
mod tests;
mod users;

/// Every profile, in the order of documents.
pub const PROFILES: &[Kind<dyn Profile>] = &[
    constant::KIND,
    ramp::KIND,
    steps::KIND,
    spike::KIND,
    sine::KIND,
    poisson::KIND,
    replay::KIND,
    churn::KIND,
    users::KIND,
    ramping_users::KIND,
    iterations::KIND,
    hold::KIND,
];
