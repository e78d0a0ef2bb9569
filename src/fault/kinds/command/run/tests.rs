//! Commands that end well, badly, late, or never, in a run directory of the test's own.

use std::path::PathBuf;

use super::*;
use crate::fleet::proc::ProcessId;

struct Place {
    directory: tempfile::TempDir,
    site: Site,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        let (run, scenario) = (path.join("run"), path.join("scenario"));
        for folder in [&run, &scenario] {
            std::fs::create_dir(folder).unwrap();
        }
        let binary = PathBuf::from("/bin/echo");
        let site = Site {
            run,
            scenario,
            binary,
        };
        Self { directory, site }
    }

    async fn shell(&self, line: &str, within: Duration) -> Result<Ended, FaultError> {
        let command = ["sh", "-c", line].map(str::to_owned);
        let variables = BTreeMap::from([("TOLD".to_owned(), "it".to_owned())]);
        let task = Task {
            step: "inject",
            command: &command,
            variables: &variables,
            fault: "own",
            site: &self.site,
            within,
        };
        task.run().await
    }

    /// The process whose number the command wrote into this file of the scenario's directory.
    fn process(&self, name: &str) -> Option<ProcessId> {
        let text = std::fs::read_to_string(self.site.scenario.join(name)).unwrap();
        ProcessId::of(text.trim().parse().unwrap())
    }
}

/// Longer than anything here takes, and shorter than what must not be waited for.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_command_runs_beside_the_scenario_and_is_told_where_it_belongs() {
    let place = Place::new();
    let line = "pwd > where; echo $TOLD $MCPLOAD_FAULT $MCPLOAD_STEP $MCPLOAD_RUN; exit 3";
    let ended = place.shell(line, PATIENCE).await.unwrap();
    assert!(!ended.is_well());
    let run = place.site.run.display();
    assert_eq!(
        ended.to_string(),
        format!("ended with code 3 and said: it own inject {run}")
    );
    let said = std::fs::read_to_string(place.site.run.join("faults/own-inject.log")).unwrap();
    assert_eq!(said, format!("it own inject {run}\n"));
    let place_of_it = std::fs::read_to_string(place.site.scenario.join("where")).unwrap();
    assert_eq!(place_of_it.trim(), place.site.scenario.to_str().unwrap());
    // The next begins its log anew.
    let ended = place.shell("true", PATIENCE).await.unwrap();
    assert_eq!(ended.to_string(), "succeeded");
}

#[tokio::test]
async fn what_takes_too_long_is_ended_with_all_that_it_started_in_whatever_group() {
    let place = Place::new();
    // One child stays in the group, one leaves it; both would outlive the test.
    let line = "sleep 600 & echo $! > near; setsid sleep 601 & echo $! > far; echo begun; wait";
    let error = place.shell(line, Duration::from_secs(1)).await.err();
    let error = error.unwrap().to_string();
    assert!(error.contains("took longer than 1"), "{error}");
    assert!(error.contains("it had said: begun"), "{error}");
    assert_eq!(place.process("near"), None);
    assert_eq!(place.process("far"), None);
}

#[tokio::test]
async fn what_a_command_leaves_running_lives_until_the_fault_is_ended() {
    let place = Place::new();
    let line = "sleep 602 & echo $! > left";
    assert!(place.shell(line, PATIENCE).await.unwrap().is_well());
    assert!(place.process("left").is_some());
    end_marked(&place.site, "other", PATIENCE).await.unwrap();
    assert!(place.process("left").is_some());
    end_marked(&place.site, "own", PATIENCE).await.unwrap();
    assert_eq!(place.process("left"), None);
}

#[tokio::test]
async fn a_command_that_is_given_up_is_killed() {
    let place = Place::new();
    let line = "sleep 603 & echo $! > child; wait";
    let waited = tokio::time::timeout(Duration::from_secs(1), place.shell(line, PATIENCE));
    assert!(waited.await.is_err());
    let gone = async {
        while place.process("child").is_some() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn what_says_too_much_is_ended_and_only_the_end_of_it_is_repeated() {
    let place = Place::new();
    let error = place.shell("yes loud", PATIENCE).await.err().unwrap();
    let error = error.to_string();
    assert!(error.contains("said more than 1024 KiB"), "{error}");
    // The last line may have been cut off by its end.
    assert!(error.contains("; it had said: loud | loud"), "{error}");
    let ended = place.shell("printf 'a\\nb\\033[2J\\n\\nc\\nd'; false", PATIENCE);
    let ended = ended.await.unwrap();
    assert_eq!(
        ended.to_string(),
        "ended with code 1 and said: b[2J | c | d"
    );
}

#[tokio::test]
async fn a_program_is_found_beside_the_scenario_and_mcpload_is_this_one() {
    let place = Place::new();
    let words = |program: &str| resolved(&[program.to_owned(), "./x".to_owned()], &place.site);
    let beside = place
        .directory
        .path()
        .canonicalize()
        .unwrap()
        .join("scenario/./go");
    assert_eq!(words("./go"), [beside.to_str().unwrap(), "./x"]);
    assert_eq!(words("/bin/go"), ["/bin/go", "./x"]);
    assert_eq!(words("go"), ["go", "./x"]);
    assert_eq!(words("mcpload"), ["/bin/echo", "./x"]);
    let command = ["./none".to_owned()];
    let task = Task {
        step: "probe",
        command: &command,
        variables: &BTreeMap::new(),
        fault: "own",
        site: &place.site,
        within: PATIENCE,
    };
    let error = task.run().await.err().unwrap().to_string();
    assert!(error.contains("`probe` cannot be run (./none)"), "{error}");
}
