//! `bandpass demo`: the main job as a story, told by what the real components answer.

use std::fs;
use std::path::{Path, PathBuf};

use anstream::println;
use anstyle::{AnsiColor, Style};
use anyhow::{Context as _, Result, bail};
use bandpass::{Answer, Config, Host, IssuedChallenge, NewChallenge, NewTransaction, Store};
use bandpass_roles::{BAND_VCT, Band, Issuer, Key, Phone, Request as Asked, os_rng, random_id};
use clap::Args;
use serde_json::{Value, json};

use super::demo_host::{
    LISTEN, MERCHANT, OTHER_MERCHANT, REVOKED, SETTINGS, SUSPENDED, VALID, built_plugin, issue, status_list, write,
    write_host,
};
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
    /// Leave the host of the story in this folder: bandpass.toml with what it names, store.sqlite, and a purchase that waits
    /// for `bandpass respond`: `challenge.json` and `token`. For `bandpass verify` and `decide` there are `trust.json`,
    /// `status-list`, `settings.json`, `dcql.json`, `transaction_data` and `decide.json` as well.
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,
}

impl Demo {
    pub(crate) fn run(self) -> Result<Verdict> {
        let temporary = tempfile::tempdir()?;
        let folder = self.save.as_deref().unwrap_or(temporary.path());
        fs::create_dir_all(folder)?;
        let mut story = Story::begin(&self, folder)?;
        story.shop()?;
        story.refusals()?;
        story.without_the_phone()?;
        story.lost()?;
        if self.save.is_some() {
            story.save(folder)?;
        }
        story.end();
        Ok(Verdict::Accepted)
    }
}

/// The people and things of the story.
struct Story {
    json: bool,
    steps: Vec<Value>,
    now: u64,
    host: Host,
    executor: tokio::runtime::Runtime,
    issuer: Issuer,
    phone: Phone,
    /// The band's key, which in a real band nobody can copy.
    key: Key,
    band: Band,
}

impl Story {
    fn begin(demo: &Demo, folder: &Path) -> Result<Self> {
        let now = input::now(None)?;
        let rng = &mut os_rng();
        let plugin = match &demo.plugin {
            Some(path) => input::file(path)?,
            None => input::file(&built_plugin()?)?,
        };
        let (phone, key) = (Phone::new(Key::generate(rng)), Key::generate(rng));
        let issuer = write_host(folder, &plugin, LISTEN, now)?;
        let band = issue(&issuer, &key, &phone, now)?;
        let config = Config::from_file(&folder.join("bandpass.toml"))?;
        let store = Store::open(&folder.join("store.sqlite").to_string_lossy())?;
        let host = Host::open(&super::compile::runtime()?, config, store, now)?;
        let executor = tokio::runtime::Builder::new_current_thread().build()?;
        let story = Self { json: demo.json, steps: Vec::new(), now, host, executor, issuer, phone, key, band };
        story.say(
            "A wallet provider issues a credential to Lin's band",
            &format!("{BAND_VCT}, {} bytes", story.band.credential().len()),
        );
        for plugin in story.host.plugins() {
            if let Some(error) = plugin.quarantined {
                return Err(error.into());
            }
            let (name, version) = plugin.described.unwrap_or_default();
            story.say("A shop installs a policy", &format!("{name} {version}, {SETTINGS}"));
        }
        Ok(story)
    }

    /// Worn and unlocked, the band pays up to the shop's limit.
    fn shop(&mut self) -> Result<()> {
        self.wear();
        self.say("Lin puts the band on and unlocks it", "it signs that with every payment");
        let small = self.challenge(MERCHANT, "35.00")?;
        let token = self.present(&small);
        let paid = self.decide("Lin pays CNY 35.00", &small, &token, "allow limit.within")?;
        let again = self.decide("the shop asks again", &small, &token, "allow limit.within")?;
        if again.receipt != paid.receipt {
            bail!("the same token got another receipt");
        }
        let another = self.present(&small);
        self.decide("another token for what is paid", &small, &another, "deny challenge.used")?;

        let large = self.challenge(MERCHANT, "900.00")?;
        let token = self.present(&large);
        let step_up = self.decide("Lin pays CNY 900.00", &large, &token, "step-up limit.above")?;
        let decision = step_up.decision_id.context("a step-up is a decision")?;
        let more = self.executor.block_on(self.host.step_up(MERCHANT, &decision, None, self.now))?;
        let approval = self.approve(&asked(&more), &["face"]);
        let token = present(&mut self.band, &asked(&more), Some(&approval), self.now);
        self.decide("Lin looks at the phone, which approves by face", &more, &token, "allow limit.approved")?;
        Ok(())
    }

    fn refusals(&mut self) -> Result<()> {
        let (agreed, changed) = (self.challenge(MERCHANT, "35.00")?, self.challenge(MERCHANT, "135.00")?);
        let to_less = Asked { nonce: changed.nonce.clone(), ..asked(&agreed) };
        let token = self.present_to(&to_less);
        self.decide("Lin agreed to 35.00, the shop asks for 135.00", &changed, &token, "deny transaction.mismatch")?;

        let (elsewhere, here) = (self.challenge(OTHER_MERCHANT, "35.00")?, self.challenge(MERCHANT, "35.00")?);
        let to_other = Asked { audience: asked(&elsewhere).audience, ..asked(&here) };
        let token = self.present_to(&to_other);
        self.decide("another shop passes on what it got", &here, &token, "deny holder.audience")?;

        let (old, new) = (self.challenge(MERCHANT, "35.00")?, self.challenge(MERCHANT, "35.00")?);
        let token = self.present(&old);
        self.decide("a token of yesterday's challenge comes again", &new, &token, "deny holder.nonce")?;

        let challenge = self.challenge(MERCHANT, "35.00")?;
        let mut thief = Band::new(Key::generate(&mut os_rng()), self.band.credential().to_owned());
        self.put_on(&mut thief);
        let token = present(&mut thief, &asked(&challenge), None, self.now);
        self.decide("a thief's band shows a copy of Lin's credential", &challenge, &token, "deny holder.signature")?;

        let mut copy = Band::new(self.key.clone(), self.band.credential().to_owned());
        self.put_on(&mut copy);
        let approval = self.approve(&asked(&challenge), &["swk"]);
        let token = present(&mut copy, &asked(&challenge), Some(&approval), self.now);
        self.decide("a copy of the band's key counts from one again", &challenge, &token, "deny evidence.counter")?;

        let stranger = Issuer::new("https://wallet.example", Key::generate(&mut os_rng()));
        let mut forged = issue(&stranger, &Key::generate(&mut os_rng()), &self.phone, self.now)?;
        self.put_on(&mut forged);
        let token = present(&mut forged, &asked(&challenge), None, self.now);
        self.decide("somebody signs a credential of their own", &challenge, &token, "deny issuer.untrusted")?;

        self.band.lock();
        let challenge = self.challenge(MERCHANT, "35.00")?;
        let token = self.present(&challenge);
        self.decide("the band is locked", &challenge, &token, "deny evidence.locked")?;

        self.band.take_off();
        let challenge = self.challenge(MERCHANT, "35.00")?;
        let token = self.present(&challenge);
        self.decide("the band lies on the counter", &challenge, &token, "deny evidence.not-worn")?;
        self.wear();
        Ok(())
    }

    /// Nobody pays without the phone that the band is paired with, nor with what it approved for another payment.
    fn without_the_phone(&mut self) -> Result<()> {
        let challenge = self.challenge(MERCHANT, "35.00")?;
        let token = present(&mut self.band, &asked(&challenge), None, self.now);
        self.decide("the phone is at home", &challenge, &token, "deny approval.missing")?;

        let challenge = self.challenge(MERCHANT, "35.00")?;
        let another = Phone::new(Key::generate(&mut os_rng()));
        let approval = another.approve(&asked(&challenge), &self.band.thumbprint(), &["face"], self.now, &mut os_rng());
        let token = present(&mut self.band, &asked(&challenge), Some(&approval), self.now);
        self.decide("another phone approves", &challenge, &token, "deny approval.phone")?;

        let key = Key::generate(&mut os_rng());
        let mut itself = issue(&self.issuer, &key, &Phone::new(key.clone()), self.now)?;
        self.put_on(&mut itself);
        let request = asked(&challenge);
        let approval = Phone::new(key).approve(&request, &itself.thumbprint(), &["face"], self.now, &mut os_rng());
        let token = present(&mut itself, &request, Some(&approval), self.now);
        self.decide("a band paired with itself approves", &challenge, &token, "deny approval.self")?;

        let less = self.challenge(MERCHANT, "1.00")?;
        let approval = self.approve(&Asked { nonce: challenge.nonce.clone(), ..asked(&less) }, &["face"]);
        let token = present(&mut self.band, &asked(&challenge), Some(&approval), self.now);
        self.decide("the phone approved 1.00, the band signs 35.00", &challenge, &token, "deny approval.transaction")?;
        Ok(())
    }

    /// What its owner reports reaches every verifier by the status list.
    fn lost(&mut self) -> Result<()> {
        for (status, what, told) in [
            (SUSPENDED, "Lin reports the band lost", "deny status.suspended"),
            (VALID, "Lin finds the band", "allow limit.within"),
            (REVOKED, "Lin deactivates the band", "deny status.revoked"),
        ] {
            self.host.update_status(status_list(&self.issuer, status, self.now)?.as_bytes(), self.now)?;
            let challenge = self.challenge(MERCHANT, "35.00")?;
            let token = self.present(&challenge);
            self.decide(what, &challenge, &token, told)?;
        }
        Ok(())
    }

    fn wear(&mut self) {
        self.band.put_on(self.now - 3_600);
        self.band.unlock(self.now - 3_000);
    }

    fn put_on(&self, band: &mut Band) {
        band.put_on(self.now - 3_600);
        band.unlock(self.now - 3_000);
    }

    /// The paired phone approves.
    fn approve(&self, request: &Asked, methods: &[&str]) -> String {
        self.phone.approve(request, &self.band.thumbprint(), methods, self.now, &mut os_rng())
    }

    /// A purchase that waits for its answer. The host of the folder still has the status list that it began with.
    fn save(&mut self, folder: &Path) -> Result<()> {
        let challenge = self.challenge(MERCHANT, "35.00")?;
        let token = self.present(&challenge);
        let IssuedChallenge { audience, nonce, dcql, transaction_data, .. } = &challenge;
        let dcql = serde_json::from_str::<Value>(dcql)?;
        let decide = json!({"audience": audience, "nonce": nonce, "transaction_data": transaction_data, "dcql": dcql,
            "request": {"merchant": MERCHANT, "context": {}}});
        for (name, content) in [
            ("challenge.json", challenge.to_json().to_string()),
            ("decide.json", decide.to_string()),
            ("settings.json", SETTINGS.to_owned()),
            ("dcql.json", dcql.to_string()),
            ("transaction_data", transaction_data.concat()),
            ("token", token),
        ] {
            write(folder, name, (content + "\n").as_bytes())?;
        }
        Ok(())
    }

    fn end(&self) {
        if self.json {
            println!("{}", json!({"steps": self.steps, "verifier": bandpass::digest(bandpass::VERIFIER_COMPONENT)}));
        }
    }

    /// A challenge for a payment, with what the shop's policy asks for.
    fn challenge(&self, merchant: &str, amount: &str) -> Result<IssuedChallenge> {
        let payload = json!({
            "transaction_id": random_id(&mut os_rng()),
            "payee": {"name": "Corner Bookshop", "id": merchant},
            "currency": "CNY",
            "amount": amount,
        });
        let payload = payload.as_object().cloned().unwrap_or_default();
        let transactions = vec![NewTransaction { type_id: "urn:bandpass:payment:1".into(), payload }];
        let new = NewChallenge { merchant: merchant.into(), transactions, ..NewChallenge::default() };
        Ok(self.executor.block_on(self.host.challenge(new, self.now))?)
    }

    /// Lin pays: the paired phone is near and approves by its key alone.
    fn present(&mut self, challenge: &IssuedChallenge) -> String {
        self.present_to(&asked(challenge))
    }

    fn present_to(&mut self, request: &Asked) -> String {
        let approval = self.approve(request, &["swk"]);
        present(&mut self.band, request, Some(&approval), self.now)
    }

    /// Lets the host decide and tells what came of it. A story that does not go as told is an error.
    fn decide(&mut self, what: &str, challenge: &IssuedChallenge, token: &str, told: &str) -> Result<Answer> {
        let answer = self.host.respond(&challenge.id, token.as_bytes().to_vec(), self.now);
        let answer = self.executor.block_on(answer)?;
        let mut result = answer.to_json();
        let (word, reason) = (answer.decision(), answer.reason());
        let color = match word {
            "allow" => AnsiColor::Green,
            "step-up" => AnsiColor::Yellow,
            _ => AnsiColor::Red,
        };
        if !self.json {
            let style = Style::new().fg_color(Some(color.into())).bold();
            println!("  {style}{word:8}{style:#} {reason:22} {what}");
        }
        if format!("{word} {reason}") != told {
            bail!("{what}: {word} {reason}, but the story says {told}");
        }
        if let Some(members) = result.as_object_mut() {
            members.insert("step".into(), what.into());
        }
        self.steps.push(result);
        Ok(answer)
    }

    fn say(&self, what: &str, details: &str) {
        if !self.json {
            let dimmed = Style::new().dimmed();
            println!("{what}\n  {dimmed}{details}{dimmed:#}");
        }
    }
}

fn present(band: &mut Band, request: &Asked, approval: Option<&str>, now: u64) -> String {
    band.present(request, &["sub"], approval, now, &mut os_rng())
}

/// What reaches the wallet of a challenge.
fn asked(challenge: &IssuedChallenge) -> Asked {
    Asked {
        audience: challenge.audience.first().cloned().unwrap_or_default(),
        nonce: challenge.nonce.clone(),
        transaction_data: challenge.transaction_data.clone(),
    }
}
