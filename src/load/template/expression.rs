//! What may stand between `{{` and `}}` in arguments and expectations.
//!
//! Pure. The only grammar of these templates: the plan's compiler refuses with it what a worker could not fill in.

/// The longest text that `random.hex` makes, digits.
const LONGEST_HEX: u32 = 65_536;

/// The inside of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// `random.hex(N)`: N hexadecimal digits.
    Hex(u32),
    /// `random.int(A, B)`: a whole number from A to B.
    Int(i64, i64),
    /// `counter`: the number of the arrival.
    Counter,
    /// `client`: the number of the client.
    Client,
    /// `session`: the number of the client's session, from 1; 0 where it has none.
    Session,
    /// `uid`: a name of the operation that no other of the run has, the same in all of its steps.
    Uid,
    /// `data.NAME.COLUMN`: a cell of the row that the arrival takes.
    Data {
        /// The name of the file in the scenario.
        name: String,
        /// The column.
        column: String,
    },
    /// `kept.NAME`: what an earlier step of the same journey kept of its answer.
    Kept(String),
}

impl Expression {
    /// Reads the inside of a template, without the braces.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text {
            "counter" => return Ok(Self::Counter),
            "client" => return Ok(Self::Client),
            "session" => return Ok(Self::Session),
            "uid" => return Ok(Self::Uid),
            _ => {}
        }
        let call = |name: &str| {
            text.strip_prefix(name)?
                .trim()
                .strip_prefix('(')?
                .strip_suffix(')')
        };
        if let Some(digits) = call("random.hex") {
            return match digits.trim().parse::<u32>() {
                Ok(digits) if (1..=LONGEST_HEX).contains(&digits) => Ok(Self::Hex(digits)),
                _ => Err(format!(
                    "expected a number from 1 to {LONGEST_HEX} in `random.hex(N)`"
                )),
            };
        }
        if let Some(range) = call("random.int") {
            let ends = range.split_once(',').and_then(|(low, high)| {
                Some((low.trim().parse().ok()?, high.trim().parse().ok()?))
            });
            return match ends {
                Some((low, high)) if low <= high => Ok(Self::Int(low, high)),
                _ => Err(
                    "expected two whole numbers in `random.int(A, B)`, the smaller first"
                        .to_owned(),
                ),
            };
        }
        if let Some(rest) = text.strip_prefix("data.") {
            return match rest.split_once('.') {
                Some((name, column)) if !name.is_empty() && !column.is_empty() => Ok(Self::Data {
                    name: name.to_owned(),
                    column: column.to_owned(),
                }),
                _ => Err("expected `data.NAME.COLUMN`".to_owned()),
            };
        }
        if let Some(name) = text.strip_prefix("kept.").filter(|name| !name.is_empty()) {
            return Ok(Self::Kept(name.to_owned()));
        }
        Err(
            "expected random.hex(N), random.int(A, B), counter, client, session, uid, data.NAME.COLUMN, kept.NAME or env.NAME"
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_expression_is_read() {
        let data = |name: &str, column: &str| Expression::Data {
            name: name.to_owned(),
            column: column.to_owned(),
        };
        for (text, expression) in [
            ("random.hex(64)", Expression::Hex(64)),
            (" random.int( -1 , 5 ) ", Expression::Int(-1, 5)),
            ("counter", Expression::Counter),
            ("client", Expression::Client),
            ("session", Expression::Session),
            ("uid", Expression::Uid),
            ("data.users.e mail", data("users", "e mail")),
            ("data.users.a.b", data("users", "a.b")),
            ("kept.next", Expression::Kept("next".to_owned())),
        ] {
            assert_eq!(Expression::parse(text), Ok(expression), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "slot.port",
            "random.hex(0)",
            "random.hex(99999999)",
            "random.hex(x)",
            "random.hex",
            "random.int(5, 1)",
            "data.users",
            "data..id",
            "kept.",
        ] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
    }
}
