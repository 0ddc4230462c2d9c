//! Signatures and presentations verified by this project and by others, in turns: prints tables of docs/benchmarks.md.
//!
//! Takes the guest's module and the verifier component. Ratios within one run hold; times are the machine's.

mod clock;
mod presentation;
mod signature;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use wasmtime::{Config, Engine};

use presentation::Presentation;

const ROUNDS: u32 = 400;
const ROUND: Duration = Duration::from_millis(3);
/// One of those who are compared.
struct Contender {
    name: &'static str,
    /// Fails unless it verifies.
    verify: Box<dyn FnMut() -> Result<()>>,
    fastest: Duration,
}

impl Contender {
    fn new(name: &'static str, verify: impl FnMut() -> Result<()> + 'static) -> Self {
        Self { name, verify: Box::new(verify), fastest: Duration::MAX }
    }

    fn round(&mut self) -> Result<()> {
        let (start, mut runs) = (Instant::now(), 0);
        loop {
            (self.verify)().context(self.name)?;
            runs += 1;
            let spent = start.elapsed();
            if spent >= ROUND {
                self.fastest = self.fastest.min(spent / runs);
                return Ok(());
            }
        }
    }

    fn to(&self, other: &Self) -> f64 {
        self.fastest.as_secs_f64() / other.fastest.as_secs_f64()
    }

    fn micros(&self) -> f64 {
        self.fastest.as_secs_f64() * 1e6
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (guest, verifier) = (arguments.next().context("no guest")?, arguments.next().context("no verifier")?);
    let mut config = Config::new();
    // As the host has it.
    config.concurrency_support(false).epoch_interruption(true);
    let engine = Engine::new(&config)?;
    let presentation = Presentation::read()?;
    clock::stop_at(presentation.now.try_into()?);
    let signed = presentation.issuer_signature()?;
    let mut native = signature::native(&signed)?;
    let mut plain_wasm = signature::plain_wasm(&signed, &engine, &std::fs::read(guest)?)?;
    let mut whole = presentation.contenders(&engine, &std::fs::read(verifier)?)?;
    for _ in 0..ROUNDS {
        native.iter_mut().chain(&mut plain_wasm).chain(&mut whole).try_for_each(Contender::round)?;
    }

    let aws_lc = named(&native, signature::AWS_LC)?;
    println!("| one signature, fastest of {ROUNDS} rounds | time | to aws-lc-rs | p256 in the same place, to it |");
    println!("|---|---|---|---|");
    for (place, contenders) in [("natively", &native), ("plain WebAssembly under wasmtime", &plain_wasm)] {
        let p256 = named(contenders, signature::P256)?;
        for one in contenders {
            let (time, to, of) = (one.micros(), one.to(aws_lc), p256.to(one));
            println!("| {}, {place} | {time:.1} us | {to:.2} | {of:.2} |", one.name);
        }
    }
    let sd_jwt_rs = named(&whole, presentation::SD_JWT_RS)?;
    println!("\n| {}, fastest of {ROUNDS} rounds | time | to sd-jwt-rs |\n|---|---|---|", presentation::NAME);
    for one in &whole {
        println!("| {} | {:.1} us | {:.2} |", one.name, one.micros(), one.to(sd_jwt_rs));
    }
    Ok(())
}

fn named<'a>(contenders: &'a [Contender], name: &str) -> Result<&'a Contender> {
    contenders.iter().find(|contender| contender.name == name).with_context(|| format!("no {name}"))
}
