//! Servers that would fill the memory or the terminal of whoever calls them. The client is a process of its own, so that its
//! memory can be told from that of the server.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::{LEGACY, MODERN, Server, each};

/// The most memory that a client may have used, kilobytes. One answer is at most 64 MiB.
const MOST_MEMORY: u64 = 200 << 10;

/// A client, which is killed when this is dropped.
struct Client(Child);

impl Client {
    fn start(words: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcpload"));
        command.arg("call").args(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        Self(command.stderr(Stdio::piped()).spawn().unwrap())
    }

    /// The most memory that it has used up to now, kilobytes.
    fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.0.id());
        let status = std::fs::read_to_string(path).unwrap();
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn no_answer_takes_more_memory_than_its_bound() {
    let cases = [
        ("endless-event=1GiB", "malformed"),
        ("endless-events=1GiB", "malformed"),
        ("bomb=256MiB", "malformed"),
        ("declared-length=1000000000", "none"),
        ("deep-json=4000000", "none"),
        ("header-flood=20000,size=1KiB", "transport"),
    ];
    for version in [LEGACY, MODERN] {
        each(&cases, |(rule, class)| {
            let server = Server::start(&[&format!("{rule},tool=echo")], &[]);
            let words = ["--quiet", "--timeout", "25s", "--linger", "1m"];
            let protocol = ["--protocol", version.name(), &server.url];
            let asked = ["echo", "text=hello"];
            let words = [&words[..], &protocol, &asked].concat();
            let mut client = Client::start(&words);
            let lines = BufReader::new(client.0.stdout.take().unwrap()).lines();
            let mut lines = lines.map(Result::unwrap);
            // It lingers after it, and its own timeout bounds the wait.
            let came = lines
                .find(|line| line.starts_with("= tools/call echo: "))
                .unwrap();
            let memory = client.memory();
            let class = if *class == "none" { "ok" } else { class };
            assert!(
                came.starts_with(&format!("= tools/call echo: {class}")),
                "{rule}: {came}"
            );
            assert!(memory < MOST_MEMORY, "{rule}: {memory} kB");
        });
    }
}

#[test]
fn nothing_that_acts_on_a_terminal_is_shown() {
    let hostile = |character: char| character.is_control() && character != '\n';
    let directs = |character: char| matches!(character, '\u{202a}'..='\u{202e}');
    each(&[(LEGACY, ""), (LEGACY, "--json"), (MODERN, "")], |case| {
        let (version, word) = *case;
        let words: Vec<&str> = [word].into_iter().filter(|word| !word.is_empty()).collect();
        let server = Server::start(&["escapes"], &words);
        let asked = "tools/list + resources/list + prompts/list + echo text=hello + fail message=x + no-such-tool \
            + resources/read uri=mem://item/001 + prompts/get name=greeting + ping";
        let options = ["--protocol", version.name(), "--timeout", "20s"];
        let mut words = [&options[..], &[server.url.as_str()]].concat();
        words.extend(asked.split_whitespace());
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcpload"));
        let output = command.arg("call").args(&words).output().unwrap();
        for stream in [&output.stdout, &output.stderr] {
            let text = String::from_utf8(stream.clone()).unwrap();
            let found = text.find(|character| hostile(character) || directs(character));
            assert_eq!(found, None, "{version}: {}", text.escape_debug());
        }
        let shown = String::from_utf8(output.stdout).unwrap();
        // They did come, and stand there as what they are.
        assert!(shown.contains("\\u{9b}31m\\u{202e}<script>"), "{shown}");
        let upkeep = ["= initialize", "= notifications/", "= DELETE"];
        let came_to = shown.lines().filter(|line| line.starts_with("= "));
        let operations = came_to.filter(|line| !upkeep.iter().any(|one| line.starts_with(one)));
        assert_eq!(operations.count(), 9, "{shown}");
    });
}
