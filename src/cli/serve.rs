//! `mcpload serve`, and the processes that mcpload starts of itself.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use clap::Subcommand;

use super::exit::Exit;
use super::out;
use crate::fleet::{hog, shim};
use crate::load::worker;
use crate::reference::{balancer, server, stub};

#[derive(Debug, Subcommand)]
pub(super) enum Serve {
    /// The reference MCP server.
    Server(Box<server::Args>),
    /// The reference balancer.
    Balancer(Box<balancer::Args>),
    /// The cheapest server that still answers right, to measure a load generator.
    Stub(stub::Args),
}

/// Serves until a signal asks to stop.
pub(super) fn serve(serve: Serve) -> Exit {
    if let Serve::Stub(args) = serve {
        return match stub::serve(&args) {
            Ok(log) => {
                out::data(&format!("{log}\n"));
                Exit::Pass
            }
            Err(error) => failed(&error),
        };
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let result: Result<(), Box<dyn std::error::Error>> = match serve {
        Serve::Server(args) => runtime.block_on(server::serve(*args)).map_err(Into::into),
        Serve::Balancer(args) => runtime.block_on(balancer::serve(*args)).map_err(Into::into),
        // Served above, on this thread alone.
        Serve::Stub(_) => Ok(()),
    };
    // Work that does not end in time (a tool that burns CPU) must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_millis(100));
    match result {
        Ok(()) => Exit::Pass,
        Err(error) => failed(&*error),
    }
}

/// Runs a shim.
pub(super) fn shim() -> Exit {
    match shim::process::run() {
        Ok(()) => Exit::Pass,
        Err(error) => failed(&error),
    }
}

/// Takes what it is told to, until its standard input ends.
pub(super) fn hog(order: &hog::Order) -> Exit {
    match hog::process::run(order) {
        Ok(()) => Exit::Pass,
        Err(error) => failed(&error),
    }
}

/// Runs a load worker over the socket that is its standard input.
pub(super) fn worker() -> Exit {
    let sockets = || -> std::io::Result<(UnixStream, UnixStream)> {
        let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        Ok((socket.try_clone()?, socket))
    };
    let (input, output) = match sockets() {
        Ok(sockets) => sockets,
        Err(error) => return failed(&error),
    };
    match worker::run(input, output) {
        Ok(()) => Exit::Pass,
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::error::Error) -> Exit {
    out::error(error);
    Exit::Internal
}
