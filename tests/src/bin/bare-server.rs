//! The bare server of the benchmarks as a program, so that its CPU time and memory can be told from those of others.

use std::error::Error;
use std::path::PathBuf;

use ack_ram_tests::bare_server::BareServer;
use clap::Parser;

/// The least that a webhook can be: answers every request with one and the same grant.
///
/// It prints where it listens, and runs until it is ended.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Writes its certificate, in PEM, to this file.
    #[arg(long, value_name = "FILE")]
    ca_out: PathBuf,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments = Arguments::parse();
    let server = BareServer::start().await?;
    std::fs::write(&arguments.ca_out, server.ca_pem())?;
    println!("listening on https://{}", server.address()?);
    server.serve().await;
    Ok(())
}
