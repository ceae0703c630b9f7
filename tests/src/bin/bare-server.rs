//! The bare server of the benchmarks as a program of its own, so that its CPU time and memory can be measured.

use std::error::Error;
use std::path::PathBuf;

use ack_ram_tests::bare_server::BareServer;
use clap::Parser;

/// Run a minimal webhook that grants every request.
///
/// Every reply is the same. The program prints the address that it listens on, and runs until it is killed.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// File to write the certificate to, in PEM.
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
