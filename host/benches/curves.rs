//! What grows with what: a verification with disclosures, issuers and status entries, a decision with policies in a chain and
//! with others at the same time. Tables, and `docs/curves.svg`.
#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

#[path = "../tests/support/shop.rs"]
mod shop;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bandpass::{Challenge, Plugin, Request, Requirements, Runtime, Store, Verifier};
use bandpass_conformance::Vector;
use bandpass_conformance::scale::Scale;
use bandpass_core::Expected;
use plotters::prelude::*;
use shop::{NOW, Shop, built, payment, settings};

/// How long each point is measured.
const PATIENCE: Duration = Duration::from_millis(300);
/// Status entries, unless `BANDPASS_ENTRIES` says more.
const ENTRIES: usize = 1 << 16;

/// A curve: what it is called, and its points.
type Curve = (&'static str, Vec<(f64, f64)>);

/// A chart.
struct Chart {
    over: &'static str,
    unit: &'static str,
    curves: Vec<Curve>,
}

/// The fastest of many, in microseconds: whatever else a machine does only adds to a time.
fn fastest(mut work: impl FnMut()) -> f64 {
    let (begun, mut fastest) = (Instant::now(), Duration::MAX);
    while begun.elapsed() < PATIENCE {
        let start = Instant::now();
        work();
        fastest = fastest.min(start.elapsed());
    }
    fastest.as_secs_f64() * 1e6
}

/// Natively, and in the component.
fn verification(runtime: &Runtime, vector: &Vector) -> [f64; 2] {
    let native = vector.verifier().expect("lists");
    let expected = Expected {
        challenge: vector.expected.challenge().expect("a challenge"),
        requirements: bandpass_core::Requirements::default(),
    };
    let natively = fastest(|| drop(native.verify(&vector.vp_token, &expected).expect("verifies")));
    let mut component = Verifier::open(runtime, vector.trust.to_string().into_bytes()).expect("a verifier");
    component.remember(0).expect("a verifier");
    for list in vector.status_list_tokens() {
        component.update_status(list, vector.expected.now).expect("a status list");
    }
    let (challenge, requirements) = (Challenge::from(&vector.expected), Requirements::default());
    let sandboxed = fastest(|| {
        drop(component.verify(vector.vp_token.as_bytes(), &challenge, "", &requirements).expect("verifies"));
    });
    [natively, sandboxed]
}

fn sizes(runtime: &Runtime, over: &'static str, sizes: &[usize], scale: fn(usize) -> Scale) -> Chart {
    let (mut native, mut component) = (Vec::new(), Vec::new());
    for size in sizes {
        eprintln!("{over}: {size}");
        let [natively, sandboxed] = verification(runtime, &scale(*size).vector().expect("a vector"));
        native.push((float(*size), natively));
        component.push((float(*size), sandboxed));
    }
    Chart { over, unit: "us a verification", curves: vec![("native", native), ("component", component)] }
}

fn float(size: usize) -> f64 {
    u32::try_from(size).expect("small").into()
}

/// Policies one after the other, on what was verified once.
fn chain(shop: &Shop) -> Chart {
    let vector = bandpass_conformance::vector("accept/payment").expect("a vector");
    let trust = vector.trust.to_string().into_bytes();
    let mut verifier = Verifier::open(&shop.runtime, trust).expect("a verifier");
    for list in vector.status_list_tokens() {
        verifier.update_status(list, vector.expected.now).expect("a status list");
    }
    let plugin = Plugin::load(&shop.runtime, &built("dist/plugins/retail-checkout.wasm")).expect("a plugin");
    let settings = r#"{"currency":"CNY","passwordless_limit":"200.00"}"#;
    let request = Request { now: vector.expected.now, merchant: "m".into(), context: "{}".into() };
    let challenge = Challenge::from(&vector.expected);
    let points = [1, 2, 4, 8, 16].map(|policies| {
        eprintln!("policies: {policies}");
        let time = fastest(|| {
            let mut submission = verifier.submit(vector.vp_token.as_bytes(), &challenge).expect("a submission");
            for _ in 0..policies {
                let mut session = plugin.session(settings).expect("a session");
                let outcome = session.evaluate(&mut submission, &request, None).expect("a decision");
                assert_eq!(outcome.decision.word(), "allow");
            }
        });
        (float(policies), time)
    });
    let name = "component, a credential that came before";
    Chart { over: "policies in a chain", unit: "us a decision", curves: vec![(name, points.to_vec())] }
}

/// Whole decisions, asked for by so many at the same time.
fn clients(shop: &Shop) -> Chart {
    const EACH: usize = 32;
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("an executor");
    let points = [1, 2, 4, 8, 16, 32].map(|clients| {
        eprintln!("clients: {clients}");
        let host = shop.host(shop.config(&settings()), Store::in_memory().expect("a store"));
        let of_customer = |number: usize| {
            let mut customer = shop.customer(&format!("account-{number}"));
            let answer = |_| {
                let issued = executor.block_on(host.challenge(payment("35.00"), NOW)).expect("a challenge");
                let token = customer.answer(&issued, "swk");
                (issued.id, token)
            };
            (0..EACH).map(answer).collect::<Vec<_>>()
        };
        let all = (0..clients).map(of_customer).collect::<Vec<_>>();
        let start = Instant::now();
        executor.block_on(async {
            let tasks = all.into_iter().map(|answers| {
                let host = host.clone();
                tokio::spawn(async move {
                    for (id, token) in answers {
                        let answer = host.respond(&id, token, NOW).await.expect("decided");
                        assert_eq!(answer.decision(), "allow");
                    }
                })
            });
            for task in tasks.collect::<Vec<_>>() {
                task.await.expect("it ends");
            }
        });
        (float(clients), float(clients * EACH) / start.elapsed().as_secs_f64())
    });
    let name = "host, store in memory";
    Chart { over: "clients at a time", unit: "decisions a second", curves: vec![(name, points.to_vec())] }
}

fn print(chart: &Chart) {
    for (name, points) in &chart.curves {
        let row = |values: Vec<String>| println!("| {} |", values.join(" | "));
        println!();
        row([chart.over.to_owned()].into_iter().chain(points.iter().map(|point| point.0.to_string())).collect());
        println!("|---|{}", "---|".repeat(points.len()));
        let of_all = points.iter().map(|point| format!("{:.0}", point.1));
        row([format!("{}, {name}", chart.unit)].into_iter().chain(of_all).collect());
    }
}

/// All of them in one picture.
fn draw(charts: &[Chart], file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::new(file, (900, 960)).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, chart) in root.split_evenly((3, 2)).into_iter().zip(charts) {
        let points = || chart.curves.iter().flat_map(|(_, points)| points);
        let most = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(0.0, f64::max);
        let (right, top) = (most(|point| point.0), most(|point| point.1) * 1.15);
        let left = points().map(|point| point.0).fold(right, f64::min);
        let mut drawn = ChartBuilder::on(&area)
            .margin(14)
            .caption(chart.unit, ("sans-serif", 15))
            .x_label_area_size(34)
            .y_label_area_size(48)
            .build_cartesian_2d((left..right).log_scale().base(2.0), 0.0..top)?;
        drawn
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_labels(8)
            .x_desc(chart.over)
            .x_label_formatter(&|x| format!("{x:.0}"))
            .y_label_formatter(&|y| format!("{y:.0}"))
            .draw()?;
        for ((name, points), colour) in chart.curves.iter().zip([BLUE, RED]) {
            drawn
                .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3))?
                .label(*name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
        }
        drawn.configure_series_labels().position(SeriesLabelPosition::LowerRight).background_style(WHITE).draw()?;
    }
    root.present()?;
    Ok(())
}

fn main() {
    let shop = Shop::new();
    let most = std::env::var("BANDPASS_ENTRIES").ok().and_then(|entries| entries.parse().ok()).unwrap_or(ENTRIES);
    let entries = (10..=24).step_by(2).map(|bits| 1 << bits).filter(|entries| *entries <= most).collect::<Vec<_>>();
    let of = |over, all: &[usize], scale| sizes(&shop.runtime, over, all, scale);
    let charts = [
        of("disclosures", &[1, 3, 10, 30, 100], |disclosures| Scale { disclosures, ..Scale::default() }),
        of("issuers", &[1, 10, 100, 1_000, 10_000], |issuers| Scale { issuers, ..Scale::default() }),
        of("status entries", &entries, |entries| Scale { entries, ..Scale::default() }),
        chain(&shop),
        clients(&shop),
    ];
    charts.iter().for_each(print);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/curves.svg");
    draw(&charts, &file).expect("a picture");
    println!("\n{} bytes of SVG", fs::metadata(file).expect("written").len());
}
