//! Fuzzing: libFuzzer on stable Rust, in CI for seconds and in `soak` for hours.

use std::collections::VecDeque;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{Project, checkout, npm, output, run, setup, step};

/// Set where cargo calls this program in place of rustc, to instrument what is in the workspace and nothing else: other
/// crates, and [`PLAIN`], would be several times as slow, and what they branch on says nothing of the verifier.
const INSTRUMENT: &str = "BANDPASS_XTASK_INSTRUMENT";

/// The arithmetic of signatures.
const PLAIN: &str = "bandpass_es256";

/// What cargo-fuzz passes for libFuzzer; none of it needs a nightly compiler.
const COVERAGE: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Cases of each property test for an hour of fuzzing.
const CASES_AN_HOUR: f64 = 20_000.0;
/// Evaluations of hostile and good plugins, how often what uses each store is killed, and decisions of a server whose
/// memory is looked at.
const EVALUATIONS: &str = "10000";
const ROUNDS: &str = "50";
const DECISIONS: &str = "100000";
const VERIFICATIONS: &str = "100000";
/// Signatures that two implementations verify.
const SIGNATURES: &str = "10000000";
/// Most entries of a status list that a verifier holds.
const ENTRIES: &str = "16777216";
/// Purchases in the edge worker's soak.
const PURCHASES: &str = "10000";
/// Requests of each kind that are made up for the server.
const EXAMPLES: &str = "500";

/// What comes out in `docs/soak.md`.
const SOAK: &str = "docs/soak.md";

/// If cargo calls it as rustc, does what rustc would.
pub(crate) fn as_rustc() -> Option<Result<ExitStatus>> {
    env::var_os(INSTRUMENT)?;
    let mut arguments = env::args_os().skip(1);
    let rustc = arguments.next()?;
    let arguments = arguments.collect::<Vec<_>>();
    let coverage = if arguments.iter().any(|argument| argument == PLAIN) { &[] } else { COVERAGE };
    let status = Command::new(rustc).args(arguments).args(coverage).status();
    Some(status.context("starting rustc"))
}

/// The instrumented program with its targets.
struct Fuzzer<'a> {
    project: &'a Project,
    program: PathBuf,
    targets: Vec<Target>,
}

struct Target {
    name: String,
    /// Share of the time that all get.
    weight: f64,
}

/// What libFuzzer says at its end.
#[derive(Default)]
struct Outcome {
    cpu_seconds: f64,
    executions: u64,
    edges: u64,
    features: u64,
}

/// Every target, or the one named, for so many seconds.
pub(crate) fn all(project: &Project, only: Option<&str>, seconds: u32) -> Result<()> {
    let fuzzer = Fuzzer::build(project)?;
    let chosen = fuzzer.targets.iter().filter(|target| only.is_none_or(|only| only == target.name));
    let chosen = chosen.collect::<VecDeque<_>>();
    if chosen.is_empty() {
        let names = fuzzer.targets.iter().map(|target| target.name.as_str()).collect::<Vec<_>>();
        bail!("no such target; there are {}", names.join(", "));
    }
    on_every_core(chosen, |target| {
        step(&format!("fuzzing {}", target.name), || {
            let outcome = fuzzer.fuzz(target, seconds, None)?;
            for line in fuzzer.log(target)?.lines() {
                if line.contains("DONE ") || line.starts_with("Done ") || line.starts_with("INFO: Seed:") {
                    eprintln!("{}: {line}", target.name);
                }
            }
            ensure!(outcome.executions > 0, "nothing was executed");
            Ok(())
        })
    })
}

/// As many at a time as there are cores. What fails ends its thread; the others go on.
fn on_every_core<T: Send>(items: VecDeque<T>, work: impl Fn(T) -> Result<()> + Sync) -> Result<()> {
    let items = Mutex::new(items);
    let next = || items.lock().ok()?.pop_front();
    let worker = || -> Result<()> {
        while let Some(item) = next() {
            work(item)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers = (0..thread::available_parallelism()?.get()).map(|_| scope.spawn(worker)).collect::<Vec<_>>();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| bail!("a thread panicked")))
    })
}

/// Each target for its share of so many hours of processor time, then what tests do in a small way at other times; what came
/// of it goes into `docs/soak.md`.
pub(crate) fn soak(project: &Project, cpu_hours: f64, seed: Option<u32>) -> Result<()> {
    ensure!(cpu_hours > 0.0, "`--cpu-hours` is more than nothing");
    let git = |arguments: &[&str]| output(Command::new("git").args(arguments).current_dir(&project.root));
    let changes = git(&["status", "--porcelain", "--", ".", &format!(":!{SOAK}")])?;
    ensure!(changes.is_empty(), "figures are of a commit; there are changes that are not in one:\n{changes}");
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let date = output(Command::new("date").args(["-u", "+%F"]))?;
    let seed = match seed {
        Some(seed) => seed,
        None => std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.subsec_nanos(),
    };
    let seed = seed.max(1);
    let fuzzer = Fuzzer::build(project)?;
    let all_weights = fuzzer.targets.iter().map(|target| target.weight).sum::<f64>();
    let mut queue = fuzzer.targets.iter().collect::<Vec<_>>();
    queue.sort_by(|one, other| other.weight.total_cmp(&one.weight));
    let log = |name: &str, cpu_seconds: f64, executions: &str, reached: &str, findings: usize| {
        let columns = [date.trim(), commit.trim(), name];
        soaked(&project.root.join(SOAK), columns, seed, cpu_seconds, executions, reached, findings)
    };
    step(&format!("fuzzing with seed {seed}"), || {
        on_every_core(queue.into(), |target| {
            let share = cpu_hours * 3_600.0 * target.weight / all_weights;
            let (outcome, found) = fuzzer.fuzz_for(target, share, seed);
            let reached = format!("{} / {}", outcome.edges, outcome.features);
            let executions = outcome.executions.to_string();
            log(&target.name, outcome.cpu_seconds, &executions, &reached, found.is_err().into())?;
            found
        })
    })?;
    let cases = format!("{:.0}", (CASES_AN_HOUR * cpu_hours).ceil());
    let seed_text = seed.to_string();
    let tests: [Long<'_>; 7] = [
        (
            "property tests",
            &["--package", "bandpass-roles", "--test", "round_trip"],
            &[("PROPTEST_CASES", &cases), ("PROPTEST_RNG_SEED", &seed_text)],
            format!("{cases} cases each"),
        ),
        (
            "signatures",
            &["--package", "bandpass-es256", "--test", "agreement"],
            &[("ES256_CASES", SIGNATURES), ("ES256_SEED", &seed_text)],
            format!("{SIGNATURES} signatures, also by p256"),
        ),
        (
            "annex D",
            &["--package", "bandpass-core", "--test", "annex_d"],
            &[("ANNEX_D_BYTES", "1")],
            "each byte of the response made each other one".to_owned(),
        ),
        (
            "plugins",
            &["--test", "soak"],
            &[("BANDPASS_EVALUATIONS", EVALUATIONS)],
            format!("{EVALUATIONS} evaluations"),
        ),
        (
            "durability",
            &["--test", "it", "durability::"],
            &[("BANDPASS_ROUNDS", ROUNDS)],
            format!("{ROUNDS} kills a store"),
        ),
        (
            "registry",
            &["--test", "it", "registry_durability::"],
            &[("BANDPASS_ROUNDS", ROUNDS)],
            format!("{ROUNDS} kills"),
        ),
        (
            "server",
            &["--test", "under_load"],
            &[("BANDPASS_ROUNDS", ROUNDS), ("BANDPASS_DECISIONS", DECISIONS), ("BANDPASS_EXAMPLES", EXAMPLES)],
            format!("{ROUNDS} kills a store, {DECISIONS} decisions"),
        ),
    ];
    let logged = |name: &str, what: &str, work: &mut dyn FnMut() -> Result<()>| -> Result<()> {
        let start = Instant::now();
        let tested = step(name, work);
        log(name, start.elapsed().as_secs_f64(), what, "", tested.is_err().into())?;
        tested
    };
    for (name, arguments, environment, what) in tests {
        logged(name, &what, &mut || {
            let mut cargo = project.cargo("test");
            cargo.arg("--release").args(arguments).args(["--", "--nocapture"]);
            run(cargo.envs(environment.iter().copied()))
        })?;
    }
    logged("curves", &format!("status lists of up to {ENTRIES} entries"), &mut || {
        run(project.cargo("bench").args(["--bench", "curves"]).env("BANDPASS_ENTRIES", ENTRIES))
    })?;
    let what = format!("{VERIFICATIONS} verifications");
    logged("npm package", &what, &mut || npm::verify_for_long(project, VERIFICATIONS))?;
    let what = format!("{PURCHASES} purchases, 1 % trap");
    logged("edge-worker", &what, &mut || checkout::sell_for_long(project, PURCHASES))
}

/// A test at length: its name, what Cargo is told, the environment, and what that means.
type Long<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a str)], String);

/// Adds a row to the table.
fn soaked(
    path: &Path,
    [date, commit, name]: [&str; 3],
    seed: u32,
    cpu_seconds: f64,
    executions: &str,
    reached: &str,
    findings: usize,
) -> Result<()> {
    static WRITING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = WRITING.lock();
    let row = format!(
        "| {date} | `{commit}` | {name} | {seed} | {cpu_seconds:.0} | {executions} | {reached} | {findings} |\n"
    );
    eprint!("xtask: {row}");
    let table = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(fs::write(path, table + &row)?)
}

impl<'a> Fuzzer<'a> {
    fn build(project: &'a Project) -> Result<Self> {
        setup::for_fuzzing()?;
        let folder = project.target.join("fuzz");
        step("fuzz targets", || {
            let mut cargo = project.cargo("build");
            cargo.args(["--quiet", "--profile", "fuzz", "--package", "bandpass-fuzz", "--features", "libfuzzer"]);
            // A folder of its own: other flags would have everything compiled anew.
            cargo.args(["--bin", "fuzz", "--target-dir"]).arg(folder.join("build"));
            run(cargo.env("RUSTC_WORKSPACE_WRAPPER", env::current_exe()?).env(INSTRUMENT, "1"))
        })?;
        let program = folder.join("build/fuzz/fuzz");
        let list = output(&mut Command::new(&program))?;
        let targets = list.lines().map(|line| {
            let (name, weight) = line.split_once(' ')?;
            Some(Target { name: name.to_owned(), weight: weight.parse().ok()? })
        });
        let targets = targets.collect::<Option<Vec<_>>>().context("a list of targets")?;
        Ok(Self { project, program, targets })
    }

    fn folder(&self, what: &str, target: &Target) -> PathBuf {
        self.project.target.join("fuzz").join(what).join(&target.name)
    }

    fn log(&self, target: &Target) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.folder("log", target))?).into_owned())
    }

    /// Until it has had so many seconds of processor time, however busy the machine is.
    fn fuzz_for(&self, target: &Target, cpu_seconds: f64, seed: u32) -> (Outcome, Result<()>) {
        let mut total = Outcome::default();
        for round in 0.. {
            let left = (cpu_seconds - total.cpu_seconds).ceil();
            if left < 1.0 {
                break;
            }
            // Anything that fits: libFuzzer takes whole seconds.
            let seconds = format!("{left:.0}").parse().unwrap_or(u32::MAX);
            match self.fuzz(target, seconds, Some(seed.wrapping_add(round).max(1))) {
                Ok(outcome) => {
                    total.cpu_seconds += outcome.cpu_seconds;
                    total.executions += outcome.executions;
                    total.edges = outcome.edges;
                    total.features = outcome.features;
                }
                Err(error) => return (total, Err(error)),
            }
        }
        (total, Ok(()))
    }

    /// For so many seconds by the clock. The corpus stays in the target folder and grows.
    fn fuzz(&self, target: &Target, seconds: u32, seed: Option<u32>) -> Result<Outcome> {
        let (seeds, corpus, log) =
            (self.folder("seeds", target), self.folder("corpus", target), self.folder("log", target));
        let findings = self.project.root.join("fuzz/findings").join(&target.name);
        if seeds.exists() {
            fs::remove_dir_all(&seeds)?;
        }
        for folder in [&seeds, &corpus, &findings] {
            fs::create_dir_all(folder)?;
        }
        if let Some(folder) = log.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut libfuzzer = Command::new(&self.program);
        libfuzzer
            .args(["-print_final_stats=1", "-timeout=30", "-rss_limit_mb=2048", "-max_len=16384", "-len_control=20"])
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={}/", findings.display()))
            .args(seed.map(|seed| format!("-seed={seed}")))
            .args([&corpus, &seeds])
            .env("BANDPASS_FUZZ", &target.name)
            .env("BANDPASS_FUZZ_SEEDS", &seeds)
            .stderr(fs::File::create(&log)?);
        let mut child = libfuzzer.spawn().with_context(|| format!("starting {}", self.program.display()))?;
        let (status, cpu_seconds) = wait(&mut child)?;
        // Empty unless something was found.
        let found = fs::remove_dir(&findings).is_err();
        let said = self.log(target)?;
        if !status.success() {
            let end = said.lines().rev().take(40).collect::<Vec<_>>();
            end.iter().rev().for_each(|line| eprintln!("{line}"));
            bail!(
                "{}: {status}; {} is replayed by `cargo test --release --package bandpass-fuzz`",
                target.name,
                if found { "what was found is in fuzz/findings, and" } else { "the corpus" }
            );
        }
        Ok(Outcome {
            cpu_seconds,
            executions: number_after(&said, "stat::number_of_executed_units:"),
            edges: number_after(&said, " cov: "),
            features: number_after(&said, " ft: "),
        })
    }
}

/// The last number that follows this text.
fn number_after(said: &str, text: &str) -> u64 {
    let rest = said.rsplit_once(text).map_or("", |(_, rest)| rest).trim_start();
    let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

/// Waits for a child, and tells how much processor time it took.
fn wait(child: &mut Child) -> Result<(ExitStatus, f64)> {
    let (start, mut cpu_seconds) = (Instant::now(), None);
    loop {
        cpu_seconds = cpu_time(child.id()).or(cpu_seconds);
        if let Some(status) = child.try_wait()? {
            return Ok((status, cpu_seconds.unwrap_or_else(|| start.elapsed().as_secs_f64())));
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// User and system time in seconds (proc(5)): fields 14 and 15, in hundredths on every Linux that Rust runs on.
fn cpu_time(process: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut ticks = after_name.split(' ').skip(11).map(str::parse::<f64>);
    let ticks = ticks.next()?.ok()? + ticks.next()?.ok()?;
    (ticks > 0.0).then_some(ticks / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_figures_count() {
        let said = "#2 INITED cov: 1 ft: 2 corp: 3\n#9 DONE cov: 45 ft: 67 corp\nstat::number_of_executed_units: 89\n";
        let numbers =
            [" cov: ", " ft: ", "stat::number_of_executed_units:", "else"].map(|text| number_after(said, text));
        assert_eq!(numbers, [45, 67, 89, 0]);
    }
}
