//! The binary: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    mcpload::cli::main().into()
}
