//! `bandpass demo`: the main job as a story, told by what the real components answer.

use std::fs;
use std::path::{Path, PathBuf};

use anstream::println;
use anstyle::{AnsiColor, Style};
use anyhow::{Context as _, Result, bail};
use bandpass::{Challenge, Decision, Plugin, Query, Request, UsedChallenges, Verifier};
use bandpass_roles::{
    BAND_VCT, Band, BandDetails, Issuer, Key, Phone, Request as Asked, StatusList, base64url, os_rng, random_id,
    transaction_data,
};

use clap::Args;
use serde_json::{Map, Value, json};

use crate::command::compile::runtime;
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
    /// settings.json, dcql.json, status-list, the transaction data and token.
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,
}

const SHOP: &str = "x509_san_dns:shop.example";
const OTHER_SHOP: &str = "x509_san_dns:other.example";
/// Place of Lin's band in the issuer's status list.
const STATUS_INDEX: usize = 412;
/// Statuses (Token Status List, section 7.1).
const VALID: u8 = 0;
const REVOKED: u8 = 1;
const SUSPENDED: u8 = 2;
const SETTINGS: &str = r#"{"currency":"CNY","passwordless_limit":"200.00"}"#;

impl Demo {
    pub(crate) fn run(self) -> Result<Verdict> {
        let mut story = Story::begin(&self)?;
        story.shop(self.save.as_deref())?;
        story.refusals()?;
        story.without_the_phone()?;
        story.lost()?;
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
    issuer: Issuer,
    status_list: String,
    phone: Phone,
    band: Band,
}

impl Story {
    fn begin(demo: &Demo) -> Result<Self> {
        let now = input::now(None)?;
        let rng = &mut os_rng();
        let runtime = runtime()?;
        let plugin = match &demo.plugin {
            Some(path) => input::file(path)?,
            None => input::file(&built_plugin()?)?,
        };
        let plugin = Plugin::load(&runtime, &plugin)?;
        let issuer = Issuer::new("https://wallet.example", Key::generate(rng));
        let trust = json!({"issuers": [issuer.trust_entry(&[BAND_VCT])]});
        let mut verifier = Verifier::open(&runtime, trust.to_string().into_bytes())?;
        let status_list = status_list(&issuer, VALID, now)?;
        verifier.update_status(status_list.clone().into_bytes(), now)?;
        let phone = Phone::new(Key::generate(rng));
        let band = issue_band(&issuer, &phone, now)?;
        let used = UsedChallenges::in_memory()?;
        let steps = Vec::new();
        let story =
            Self { json: demo.json, steps, now, verifier, plugin, used, trust, issuer, status_list, phone, band };
        let described = story.plugin.description();
        story.say(
            "A wallet provider issues a credential to Lin's band",
            &format!("{BAND_VCT}, {} bytes", story.band.credential().len()),
        );
        story.say("A shop installs a policy", &format!("{} {}, {SETTINGS}", described.name, described.version));
        Ok(story)
    }

    /// Worn and unlocked, the band pays up to the shop's limit.
    fn shop(&mut self, save: Option<&Path>) -> Result<()> {
        self.wear();
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
        let approval = self.approve(&again, &["face"]);
        let token = present(&mut self.band, &again, Some(&approval), self.now);
        self.decide("Lin looks at the phone, which approves by face", &again, &token, "allow", "limit.approved")
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
        let token = present(&mut thief, &challenge, None, self.now);
        self.decide("a thief's band shows a copy of Lin's credential", &challenge, &token, "deny", "holder.signature")?;

        let stranger = Issuer::new("https://wallet.example", Key::generate(&mut os_rng()));
        let mut forged = issue_band(&stranger, &self.phone, self.now)?;
        forged.put_on(self.now - 3_600);
        forged.unlock(self.now - 3_000);
        let challenge = self.challenge(SHOP, "35.00")?;
        let token = present(&mut forged, &challenge, None, self.now);
        self.decide("somebody signs a credential of their own", &challenge, &token, "deny", "issuer.untrusted")?;

        self.band.lock();
        let challenge = self.challenge(SHOP, "35.00")?;
        let token = self.present(&challenge);
        self.decide("the band is locked", &challenge, &token, "deny", "evidence.locked")?;

        self.band.take_off();
        let challenge = self.challenge(SHOP, "35.00")?;
        let token = self.present(&challenge);
        self.decide("the band lies on the counter", &challenge, &token, "deny", "evidence.not-worn")?;
        self.wear();
        Ok(())
    }

    /// Nobody pays without the phone that the band is paired with, nor with what it approved for another payment.
    fn without_the_phone(&mut self) -> Result<()> {
        let challenge = self.challenge(SHOP, "35.00")?;
        let token = present(&mut self.band, &challenge, None, self.now);
        self.decide("the phone is at home", &challenge, &token, "deny", "approval.missing")?;

        let another = Phone::new(Key::generate(&mut os_rng()));
        let approval = another.approve(&asked(&challenge), &self.band.thumbprint(), &["face"], self.now, &mut os_rng());
        let token = present(&mut self.band, &challenge, Some(&approval), self.now);
        self.decide("another phone approves", &challenge, &token, "deny", "approval.phone")?;

        let key = Key::generate(&mut os_rng());
        let mut itself = self.issuer_band(&key, &Phone::new(key.clone()))?;
        itself.put_on(self.now - 3_600);
        itself.unlock(self.now - 3_000);
        let request = asked(&challenge);
        let approval = Phone::new(key).approve(&request, &itself.thumbprint(), &["face"], self.now, &mut os_rng());
        let token = present(&mut itself, &challenge, Some(&approval), self.now);
        self.decide("a band paired with itself approves", &challenge, &token, "deny", "approval.self")?;

        let small = Challenge { transaction_data: self.challenge(SHOP, "1.00")?.transaction_data, ..challenge.clone() };
        let approval = self.approve(&small, &["face"]);
        let token = present(&mut self.band, &challenge, Some(&approval), self.now);
        self.decide("the phone approved 1.00, the band signs 35.00", &challenge, &token, "deny", "approval.transaction")
    }

    /// What its owner reports reaches every verifier by the status list.
    fn lost(&mut self) -> Result<()> {
        for (status, what, decision, reason) in [
            (SUSPENDED, "Lin reports the band lost", "deny", "status.suspended"),
            (VALID, "Lin finds the band", "allow", "limit.within"),
            (REVOKED, "Lin deactivates the band", "deny", "status.revoked"),
        ] {
            self.status_list = status_list(&self.issuer, status, self.now)?;
            self.verifier.update_status(self.status_list.clone().into_bytes(), self.now)?;
            let challenge = self.challenge(SHOP, "35.00")?;
            let token = self.present(&challenge);
            self.decide(what, &challenge, &token, decision, reason)?;
        }
        Ok(())
    }

    fn wear(&mut self) {
        self.band.put_on(self.now - 3_600);
        self.band.unlock(self.now - 3_000);
    }

    /// A band with this key, issued by the wallet provider.
    fn issuer_band(&self, key: &Key, phone: &Phone) -> Result<Band> {
        issue(&self.issuer, key, phone, self.now)
    }

    /// The paired phone approves.
    fn approve(&self, challenge: &Challenge, methods: &[&str]) -> String {
        self.phone.approve(&asked(challenge), &self.band.thumbprint(), methods, self.now, &mut os_rng())
    }

    fn save(&self, folder: &Path, challenge: &Challenge, token: &str) -> Result<()> {
        let Challenge { audience, nonce, transaction_data, max_age, dcql, .. } = challenge;
        let dcql = serde_json::from_str::<Value>(dcql.as_deref().unwrap_or("null"))?;
        let challenge = json!({"audience": audience, "nonce": nonce, "transaction_data": transaction_data,
            "dcql": dcql, "max_age": max_age, "request": {"merchant": "merchant-7", "context": {}}});
        fs::create_dir_all(folder)?;
        let transaction_data = transaction_data.concat();
        for (name, content) in [
            ("trust.json", self.trust.to_string()),
            ("challenge.json", challenge.to_string()),
            ("settings.json", SETTINGS.to_owned()),
            ("dcql.json", dcql.to_string()),
            ("status-list", self.status_list.clone()),
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
            dcql: Some(query.dcql),
            transaction_data: vec![transaction_data(type_id, &[query_id], &payload)],
            ..Challenge::new(audience.into(), random_id(&mut os_rng()), self.now)
        })
    }

    fn request(&self) -> Request {
        Request { now: self.now, merchant: "merchant-7".into(), context: "{}".into() }
    }

    /// Lin pays: the paired phone is near and approves by its key alone.
    fn present(&mut self, challenge: &Challenge) -> String {
        let approval = self.approve(challenge, &["swk"]);
        present(&mut self.band, challenge, Some(&approval), self.now)
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

fn present(band: &mut Band, challenge: &Challenge, approval: Option<&str>, now: u64) -> String {
    band.present(&asked(challenge), &["sub"], approval, now, &mut os_rng())
}

/// What reaches the wallet of a challenge.
fn asked(challenge: &Challenge) -> Asked {
    Asked {
        audience: challenge.audience.first().cloned().unwrap_or_default(),
        nonce: challenge.nonce.clone(),
        transaction_data: challenge.transaction_data.clone(),
    }
}

/// The issuer's status list, with this status for Lin's band.
fn status_list(issuer: &Issuer, status: u8, now: u64) -> Result<String> {
    let mut list = StatusList::new(2, 1 << 20).context("two bits")?;
    list.set(STATUS_INDEX, status);
    Ok(issuer.sign_status_list(&list, now, now + 3_600))
}

/// A fresh band with a credential of this issuer.
fn issue_band(issuer: &Issuer, phone: &Phone, now: u64) -> Result<Band> {
    issue(issuer, &Key::generate(&mut os_rng()), phone, now)
}

fn issue(issuer: &Issuer, key: &Key, phone: &Phone, now: u64) -> Result<Band> {
    let owner = json!({"sub": base64url(b"account-1"), "given_name": "Lin", "birthdate": "1990-05-17"});
    let details = BandDetails {
        band_jwk: key.jwk(),
        phone_thumbprint: phone.thumbprint(),
        epoch: 1,
        measures: vec!["wear".into(), "unlock".into(), "confirm".into()],
        issued_at: now,
        valid_days: 14,
        status_index: STATUS_INDEX,
        owner: owner.as_object().cloned().unwrap_or_else(Map::new),
    };
    let credential = issuer.issue(&details, &mut os_rng())?;
    Ok(Band::new(key.clone(), credential))
}

/// Sample policies are built into the folder `dist` of the target folder that this program is in.
fn built_plugin() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folders = program.ancestors().map(|folder| folder.join("dist/plugins/retail-checkout.wasm"));
    folders.into_iter().find(|path| path.is_file()).context("no policy was built: give one with `--plugin FILE`")
}
