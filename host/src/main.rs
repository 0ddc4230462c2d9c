//! The `bandpass` command.

mod command;
mod input;
mod telemetry;
mod terminal;

use std::process::ExitCode;

use anstream::{eprintln, println};
use clap::{Parser, Subcommand};

use command::{
    audit, band, challenge, check, compile, compose, conformance, decide, demo, explain, inspect, key, merchant,
    migrate, owner, phone, plugin, prune, registry, respond, serve, signing_key, verify, void, wallet,
};

/// Verifies tokens that are bound to a wearable, and runs merchants' policies on them.
///
/// Exit codes: 0 accepted or allowed, 2 rejected or denied, 3 step-up, 1 failure, 64 wrong usage.
#[derive(Parser)]
#[command(name = "bandpass", disable_version_flag = true, arg_required_else_help = true)]
struct Arguments {
    /// Print the version; with `--verbose` also what it carries.
    #[arg(long, short = 'V')]
    version: bool,
    /// Say more.
    #[arg(long, short)]
    verbose: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Verify(verify::Verify),
    Explain(explain::Explain),
    Decide(decide::Decide),
    Challenge(challenge::Challenge),
    Respond(respond::Respond),
    Void(void::Void),
    Plugin(plugin::Plugin),
    Compose(compose::Compose),
    Serve(serve::Serve),
    Wallet(wallet::Wallet),
    Registry(registry::Registry),
    Owner(owner::Owner),
    Band(band::Band),
    Phone(phone::Phone),
    Check(check::Check),
    Merchant(merchant::Merchant),
    Key(key::Key),
    SigningKey(signing_key::SigningKey),
    Audit(audit::Audit),
    Inspect(inspect::Inspect),
    Demo(demo::Demo),
    Conformance(conformance::Conformance),
    Migrate(migrate::Migrate),
    Prune(prune::Prune),
    #[command(hide = true)]
    CompileComponent(compile::Compile),
}

impl Command {
    /// Whether it sets up its own log.
    fn is_server(&self) -> bool {
        match self {
            Self::Serve(_) => true,
            Self::Registry(registry) => registry.is_server(),
            _ => false,
        }
    }

    /// Whether JSON was asked for.
    fn json(&self) -> bool {
        match self {
            Self::Verify(verify) => verify.judged.json,
            Self::Explain(explain) => explain.judged.json,
            Self::Decide(decide) => decide.json,
            Self::Challenge(_) => true,
            Self::Respond(respond) => respond.json,
            Self::Void(void) => void.json,
            Self::Plugin(plugin) => plugin.json,
            Self::Compose(compose) => compose.json,
            Self::Check(check) => check.json,
            Self::Audit(audit) => audit.json(),
            Self::Inspect(inspect) => inspect.json,
            Self::Demo(demo) => demo.json,
            Self::Conformance(conformance) => conformance.json,
            Self::Migrate(migrate) => migrate.json,
            Self::Prune(prune) => prune.json,
            Self::Owner(owner) => owner.json,
            Self::Band(band) => band.json,
            Self::Phone(phone) => phone.json,
            Self::CompileComponent(_)
            | Self::Serve(_)
            | Self::Registry(_)
            | Self::Wallet(_)
            | Self::Merchant(_)
            | Self::Key(_)
            | Self::SigningKey(_) => false,
        }
    }
}

/// How a command ended, when it did not fail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Rejected,
    StepUp,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        Self::from(match verdict {
            Verdict::Accepted => 0,
            Verdict::Rejected => 2,
            Verdict::StepUp => 3,
        })
    }
}

const FAILURE: u8 = 1;
/// `EX_USAGE` of sysexits.h.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    if arguments.version {
        print_version(arguments.verbose);
        return ExitCode::SUCCESS;
    }
    let Some(command) = arguments.command else {
        eprintln!("bandpass: no command given; see `bandpass --help`");
        return USAGE.into();
    };
    if !command.is_server() {
        telemetry::log(telemetry::Log::Plain);
    }
    let json = command.json();
    let done = match command {
        Command::Verify(verify) => verify.run(),
        Command::Explain(explain) => explain.run(),
        Command::Decide(decide) => decide.run(),
        Command::Challenge(challenge) => challenge.run(),
        Command::Respond(respond) => respond.run(),
        Command::Void(void) => void.run(),
        Command::Plugin(plugin) => plugin.run(),
        Command::Compose(compose) => compose.run(),
        Command::Serve(serve) => serve.run(),
        Command::Wallet(wallet) => wallet.run(),
        Command::Registry(registry) => registry.run(),
        Command::Owner(owner) => owner.run(),
        Command::Band(band) => band.run(),
        Command::Phone(phone) => phone.run(),
        Command::Check(check) => check.run(),
        Command::Merchant(merchant) => merchant.run(),
        Command::Key(key) => key.run(),
        Command::SigningKey(key) => key.run(),
        Command::Audit(audit) => audit.run(),
        Command::Inspect(inspect) => inspect.run(),
        Command::Demo(demo) => demo.run(),
        Command::Conformance(conformance) => conformance.run(),
        Command::Migrate(migrate) => migrate.run(),
        Command::Prune(prune) => prune.run(),
        Command::CompileComponent(compile) => return compile.run(),
    };
    match done {
        Ok(verdict) => verdict.into(),
        Err(error) => {
            if let Some(wrong) = error.downcast_ref::<clap::Error>() {
                let _ = wrong.print();
                return USAGE.into();
            }
            if json {
                println!("{}", serde_json::json!({"error": failure(&error)}));
            }
            eprintln!("bandpass: {}", terminal::plain(&format!("{error:#}")));
            FAILURE.into()
        }
    }
}

/// A failure as JSON: neither token nor policy had a part in it.
fn failure(error: &anyhow::Error) -> serde_json::Value {
    if let Some(error) = error.downcast_ref::<bandpass::Error>() {
        return error.to_json();
    }
    let code = error
        .downcast_ref::<bandpass_core::Error>()
        .map_or(bandpass::Code::HostInput.as_str(), |error| error.code().as_str());
    serde_json::json!({"code": code, "message": format!("{error:#}")})
}

fn print_version(verbose: bool) {
    println!("bandpass {}", env!("CARGO_PKG_VERSION"));
    if verbose {
        let wasm = bandpass::VERIFIER_COMPONENT;
        println!("verifier sha256:{} {} bytes", bandpass::digest(wasm), wasm.len());
        if let Some(folder) = bandpass::Runtime::new().ok().as_ref().and_then(bandpass::Runtime::cache_folder) {
            println!("compiled code in {}", folder.display());
        }
    }
}
