//! `bandpass demo`: the main job as a story, told by what the real components answer.

use std::fs;
use std::path::{Path, PathBuf};

use anstream::println;
use anstyle::{AnsiColor, Style};
use anyhow::{Context as _, Result, bail};
use bandpass::{Challenge, Decision, Plugin, Query, Request, Runtime, UsedChallenges, Verifier};
use bandpass_roles::{
    BAND_VCT, Band, BandDetails, Issuer, Key, Phone, Request as Asked, base64url, os_rng, random_id, transaction_data,
};

use clap::Args;
use serde_json::{Map, Value, json};

use crate::{Verdict, input};

/// Tell the story of a band: issued, worn, paying, and refused where it should be.
#[derive(Args)]
pub(crate) struct Demo {
    /// The shop's policy: a Wasm component. The one that is built with this program, unless given.
    #[arg(long, value_name = "FILE")]
    plugin: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Leave the first purchase in this folder, for `bandpass verify` and `decide` to try: trust.json, challenge.json,
    /// settings.json and token.
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,
}

const SHOP: &str = "x509_san_dns:shop.example";
const OTHER_SHOP: &str = "x509_san_dns:other.example";
const SETTINGS: &str = r#"{"currency":"CNY","passwordless_limit":"200.00"}"#;

impl Demo {
    pub(crate) fn run(self) -> Result<Verdict> {
        let mut story = Story::begin(&self)?;
        story.shop(self.save.as_deref())?;
        story.refusals()?;
        story.end();
        Ok(Verdict::Accepted)
    }
}

/// The people and things of the story.
struct Story {
    json: bool,
    steps: Vec<Value>,
    now: u64,
    verifier: Verifier,
    plugin: Plugin,
    used: UsedChallenges,
    trust: Value,
    phone: Phone,
    band: Band,
}

impl Story {
    fn begin(demo: &Demo) -> Result<Self> {
        let now = input::now(None)?;
        let rng = &mut os_rng();
        let runtime = Runtime::new()?;
        let plugin = match &demo.plugin {
            Some(path) => input::file(path)?,
            None => input::file(&built_plugin()?)?,
        };
        let plugin = Plugin::load(&runtime, &plugin)?;
        let issuer = Issuer::new("https://wallet.example", Key::generate(rng));
        let trust = json!({"issuers": [issuer.trust_entry(&[BAND_VCT])]});
        let verifier = Verifier::open(&runtime, trust.to_string().into_bytes())?;
        let phone = Phone::new(Key::generate(rng));
        let band = issue(&issuer, &phone, now)?;
        let used = UsedChallenges::in_memory()?;
        let story = Self { json: demo.json, steps: Vec::new(), now, verifier, plugin, used, trust, phone, band };
        let described = story.plugin.describe()?;
        story.say(
            "A wallet provider issues a credential to Lin's band",
            &format!("{BAND_VCT}, {} bytes", story.band.credential().len()),
        );
        story.say("A shop installs a policy", &format!("{} {}, {SETTINGS}", described.name, described.version));
        Ok(story)
    }

    /// Worn and unlocked, the band pays up to the shop's limit.
    fn shop(&mut self, save: Option<&Path>) -> Result<()> {
        self.band.put_on(self.now - 3_600);
        self.band.unlock(self.now - 3_000);
        self.say("Lin puts the band on and unlocks it", "it signs that with every payment");
        let small = self.challenge(SHOP, "35.00")?;
        let token = self.present(&small);
        if let Some(folder) = save {
            self.save(folder, &small, &token)?;
        }
        self.decide("Lin pays CNY 35.00", &small, &token, "allow", "limit.within")?;
        self.decide("somebody sends the same token again", &small, &token, "deny", "challenge.used")?;
        let large = self.challenge(SHOP, "900.00")?;
        let token = self.present(&large);
        self.decide("Lin pays CNY 900.00", &large, &token, "step-up", "limit.above")?;
        let again = Challenge { nonce: random_id(&mut os_rng()), ..large };
        let asked = asked(&again);
        let approval = self.phone.approve(&asked, &self.band.thumbprint(), &["face"], self.now, &mut os_rng());
        let token = self.band.present(&asked, &["sub"], Some(&approval), self.now, &mut os_rng());
        self.decide("Lin looks at the phone, which approves", &again, &token, "allow", "limit.approved")
    }

    fn refusals(&mut self) -> Result<()> {
        let agreed = self.challenge(SHOP, "35.00")?;
        let token = self.present(&agreed);
        let mut changed = self.challenge(SHOP, "135.00")?;
        changed.nonce.clone_from(&agreed.nonce);
        self.decide("Lin agreed to 35.00, the shop asks for 135.00", &changed, &token, "deny", "transaction.mismatch")?;

        let elsewhere = self.challenge(OTHER_SHOP, "35.00")?;
        let token = self.present(&elsewhere);
        let here = Challenge { audience: vec![SHOP.into()], ..elsewhere };
        self.decide("another shop passes on what it got", &here, &token, "deny", "holder.audience")?;

        let old = self.challenge(SHOP, "35.00")?;
        let token = self.present(&old);
        let new = Challenge { nonce: random_id(&mut os_rng()), ..old };
        self.decide("a token of yesterday's challenge comes again", &new, &token, "deny", "holder.nonce")?;

        let challenge = self.challenge(SHOP, "35.00")?;
        let mut thief = Band::new(Key::generate(&mut os_rng()), self.band.credential().to_owned());
        thief.put_on(self.now - 3_600);
        thief.unlock(self.now - 3_000);
        let token = present(&mut thief, &challenge, self.now);
        self.decide("a thief's band shows a copy of Lin's credential", &challenge, &token, "deny", "holder.signature")?;

        let stranger = Issuer::new("https://wallet.example", Key::generate(&mut os_rng()));
        let mut forged = issue(&stranger, &self.phone, self.now)?;
        forged.put_on(self.now - 3_600);
        forged.unlock(self.now - 3_000);
        let challenge = self.challenge(SHOP, "35.00")?;
        let token = present(&mut forged, &challenge, self.now);
        self.decide("somebody signs a credential of their own", &challenge, &token, "deny", "issuer.untrusted")?;

        self.band.lock();
        let challenge = self.challenge(SHOP, "35.00")?;
        let token = self.present(&challenge);
        self.decide("the band is locked", &challenge, &token, "deny", "evidence.locked")?;

        self.band.take_off();
        let challenge = self.challenge(SHOP, "35.00")?;
        let token = self.present(&challenge);
        self.decide("the band lies on the counter", &challenge, &token, "deny", "evidence.not-worn")
    }

    fn save(&self, folder: &Path, challenge: &Challenge, token: &str) -> Result<()> {
        let Challenge { audience, nonce, transaction_data, max_age, .. } = challenge;
        let challenge = json!({"audience": audience, "nonce": nonce, "transaction_data": transaction_data,
            "max_age": max_age, "request": {"merchant": "merchant-7", "context": {}}});
        fs::create_dir_all(folder)?;
        let transaction_data = transaction_data.concat();
        for (name, content) in [
            ("trust.json", self.trust.to_string()),
            ("challenge.json", challenge.to_string()),
            ("settings.json", SETTINGS.to_owned()),
            ("transaction_data", transaction_data),
            ("token", token.to_owned()),
        ] {
            fs::write(folder.join(name), content + "\n").with_context(|| folder.join(name).display().to_string())?;
        }
        Ok(())
    }

    fn end(&self) {
        if self.json {
            println!("{}", json!({"steps": self.steps, "verifier": bandpass::digest(bandpass::VERIFIER_COMPONENT)}));
        }
    }

    /// A challenge for what the policy asks for, with a fresh nonce.
    fn challenge(&self, audience: &str, amount: &str) -> Result<Challenge> {
        let query: Query = self.plugin.session(SETTINGS)?.ask(&self.request())?;
        let type_id = query.transaction_types.first().context("the policy decides on no transaction")?;
        let dcql: Value = serde_json::from_str(&query.dcql)?;
        let query_id =
            dcql.pointer("/credentials/0/id").and_then(Value::as_str).context("the policy asks for nothing")?;
        let payload = json!({
            "transaction_id": random_id(&mut os_rng()),
            "payee": {"name": "Corner Bookshop", "id": "merchant-7"},
            "currency": "CNY",
            "amount": amount,
        });
        Ok(Challenge {
            audience: vec![audience.into()],
            nonce: random_id(&mut os_rng()),
            now: self.now,
            max_age: bandpass_core::Challenge::DEFAULT_MAX_AGE,
            clock_tolerance: bandpass_core::Challenge::DEFAULT_CLOCK_TOLERANCE,
            transaction_data: vec![transaction_data(type_id, &[query_id], &payload)],
        })
    }

    fn request(&self) -> Request {
        Request { now: self.now, merchant: "merchant-7".into(), context: "{}".into() }
    }

    fn present(&mut self, challenge: &Challenge) -> String {
        present(&mut self.band, challenge, self.now)
    }

    /// Lets the policy decide and tells what came of it. A story that does not go as told is an error.
    fn decide(&mut self, what: &str, challenge: &Challenge, token: &str, decision: &str, reason: &str) -> Result<()> {
        let request = self.request();
        let outcome = self.plugin.decide(&mut self.verifier, SETTINGS, token.as_bytes(), challenge, &request);
        let decided = outcome.settle(&mut self.used, &challenge.nonce, token.as_bytes(), self.now)?;
        let mut result = decided.to_json();
        let (word, style) = match decided {
            Decision::Allow { .. } => ("allow", Style::new().fg_color(Some(AnsiColor::Green.into())).bold()),
            Decision::Deny { .. } => ("deny", Style::new().fg_color(Some(AnsiColor::Red.into())).bold()),
            Decision::StepUp { .. } => ("step-up", Style::new().fg_color(Some(AnsiColor::Yellow.into())).bold()),
        };
        if !self.json {
            println!("  {style}{word:8}{style:#} {:22} {what}", decided.reason());
        }
        if (word, decided.reason()) != (decision, reason) {
            bail!("{what}: {word} {}, but the story says {decision} {reason}", decided.reason());
        }
        if let Some(members) = result.as_object_mut() {
            members.insert("step".into(), what.into());
        }
        self.steps.push(result);
        Ok(())
    }

    fn say(&self, what: &str, details: &str) {
        if !self.json {
            let dimmed = Style::new().dimmed();
            println!("{what}\n  {dimmed}{details}{dimmed:#}");
        }
    }
}

fn present(band: &mut Band, challenge: &Challenge, now: u64) -> String {
    band.present(&asked(challenge), &["sub"], None, now, &mut os_rng())
}

/// What reaches the wallet of a challenge.
fn asked(challenge: &Challenge) -> Asked {
    Asked {
        audience: challenge.audience.first().cloned().unwrap_or_default(),
        nonce: challenge.nonce.clone(),
        transaction_data: challenge.transaction_data.clone(),
    }
}

/// A fresh band with a credential of this issuer.
fn issue(issuer: &Issuer, phone: &Phone, now: u64) -> Result<Band> {
    let rng = &mut os_rng();
    let key = Key::generate(rng);
    let owner = json!({"sub": base64url(b"account-1"), "given_name": "Lin", "birthdate": "1990-05-17"});
    let details = BandDetails {
        band_jwk: key.jwk(),
        phone_thumbprint: phone.thumbprint(),
        epoch: 1,
        measures: vec!["wear".into(), "unlock".into(), "confirm".into()],
        issued_at: now,
        valid_days: 14,
        status_index: 412,
        owner: owner.as_object().cloned().unwrap_or_else(Map::new),
    };
    let credential = issuer.issue(&details, rng)?;
    Ok(Band::new(key, credential))
}

/// Sample policies are built into the folder `dist` of the target folder that this program is in.
fn built_plugin() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folders = program.ancestors().map(|folder| folder.join("dist/plugins/retail-checkout.wasm"));
    folders.into_iter().find(|path| path.is_file()).context("no policy was built: give one with `--plugin FILE`")
}
