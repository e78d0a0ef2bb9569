//! Who is a member of which role at the moment, and how the reference balancer is told.
//!
//! Not pure: it speaks to the members API. The [`Register`] is the one truth from which commands and files are rendered; what a
//! balancer knows beside it is only what it was told. Next: `process/changes.rs` decides who is told what.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::bind::Roll;
use crate::model::SlotId;

/// Where the members API stands.
const MEMBERS: &str = "/_mcpload/members";
/// A balancer that does not answer is asked so often: it may have been started a moment ago.
const ATTEMPTS: u32 = 5;
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(200);

/// The members as they are now.
#[derive(Debug)]
pub(super) struct Register(Mutex<Roll>);

impl Register {
    pub(super) const fn new(roll: Roll) -> Self {
        Self(Mutex::new(roll))
    }

    fn lock(&self) -> MutexGuard<'_, Roll> {
        // Nothing under the lock panics; were it to, the lists would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Links and members as they stand.
    pub(super) fn roll(&self) -> Roll {
        self.lock().clone()
    }

    /// The slot is no member any more.
    pub(super) fn leave(&self, slot: &SlotId) {
        self.lock().absent.insert(slot.clone());
    }

    /// The slot is a member.
    pub(super) fn join(&self, slot: &SlotId) {
        self.lock().absent.remove(slot);
    }

    /// The slot is reached there from now on.
    pub(super) fn moved(&self, slot: &SlotId, link: String) {
        self.lock().links.insert(slot.clone(), link);
    }
}

/// Adds a member to the balancer at this `host:port`. Adding it twice does no harm.
///
/// # Errors
/// What the balancer said, or that it said nothing.
pub(super) async fn add(
    http: &reqwest::Client,
    balancer: &str,
    slot: &SlotId,
    link: &str,
    weight: u32,
) -> Result<(), String> {
    let member = json!({ "name": slot.as_str(), "address": link, "weight": weight });
    let url = format!("http://{balancer}{MEMBERS}");
    let answer = ask(|| http.post(&url).json(&member)).await?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    Err(format!("its members API answered {status} to {slot}"))
}

/// Takes a member away from the balancer; its weight there, if it was one.
///
/// # Errors
/// What the balancer said, or that it said nothing.
pub(super) async fn remove(
    http: &reqwest::Client,
    balancer: &str,
    slot: &SlotId,
) -> Result<Option<u32>, String> {
    let url = format!("http://{balancer}{MEMBERS}");
    let known = ask(|| http.get(&url)).await?;
    let known: Vec<Value> = known
        .json()
        .await
        .map_err(|error| format!("its members API gave no list: {error}"))?;
    let weight = known
        .iter()
        .find(|member| member["name"] == slot.as_str())
        .and_then(|member| u32::try_from(member["weight"].as_u64()?).ok());
    let answer = ask(|| http.delete(format!("{url}/{slot}"))).await?;
    let status = answer.status();
    if status.is_success() || status == reqwest::StatusCode::NOT_FOUND {
        return Ok(weight);
    }
    Err(format!("its members API answered {status} to {slot}"))
}

async fn ask(request: impl Fn() -> reqwest::RequestBuilder) -> Result<reqwest::Response, String> {
    let mut attempt = 1;
    loop {
        match request().send().await {
            Ok(answer) => return Ok(answer),
            Err(_) if attempt < ATTEMPTS => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(format!("its members API does not answer: {error}")),
        }
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::reference::balancer;

    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        args: balancer::Args,
    }

    #[tokio::test]
    async fn the_reference_balancer_is_told_and_tells_the_weight_of_who_left() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let members = "--members=a=127.0.0.1:1*3,b=127.0.0.1:2";
        let words = Words::parse_from(["balancer", "--listen=127.0.0.1:0", members]);
        let serving = tokio::spawn(balancer::serve_on(
            listener,
            words.args,
            std::future::pending(),
        ));
        let http = crate::fleet::probe::control_client().unwrap();
        let slot = |name: &str| SlotId(name.to_owned());
        assert_eq!(remove(&http, &address, &slot("a")).await, Ok(Some(3)));
        // Who is gone has gone: that is no error.
        assert_eq!(remove(&http, &address, &slot("a")).await, Ok(None));
        let again = add(&http, &address, &slot("a"), "127.0.0.1:9", 3).await;
        assert_eq!(again, Ok(()));
        assert_eq!(remove(&http, &address, &slot("a")).await, Ok(Some(3)));
        assert!(
            add(&http, &address, &slot("c"), "nowhere", 1)
                .await
                .is_err()
        );
        serving.abort();
    }
}
