//! `bandpass demo`: the main job as a story, told by what the real components answer.

use std::fs;
use std::path::{Path, PathBuf};

use anstream::println;
use anstyle::{AnsiColor, Style};
use anyhow::{Context as _, Result, bail};
use bandpass::{Answer, Config, Error, Host, IssuedChallenge, NewChallenge, NewTransaction, Store};
use bandpass_roles::{BAND_VCT, Band, Issuer, Key, Phone, Request as Asked, os_rng, random_id};
use clap::Args;
use serde_json::{Value, json};

use super::demo_host::{LISTEN, MERCHANT, OTHER_MERCHANT, SETTINGS, built_plugin, issue, write, write_host};
use super::demo_registry::{Person, Provider};
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
        if self.save.is_some() {
            story.save(folder)?;
        }
        story.lost(&folder.join("registry"))?;
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

    /// A band that is lost can't be paired with another phone until its owner deactivates it, and every verifier soon knows.
    fn lost(&mut self, folder: &Path) -> Result<()> {
        let provider = Provider::start(folder)?;
        let trust = json!({"issuers": [self.issuer.trust_entry(&[BAND_VCT]), provider.trust_entry()]});
        self.host.update_trust(trust.to_string().as_bytes())?;
        let mut lin = provider.person("Lin")?;
        let epoch = provider.pair(&mut lin)?;
        self.say("A registry pairs a band with Lin's phone", &format!("epoch {epoch}, by what both of them signed"));
        self.fetch(&provider)?;
        self.pays("Lin pays CNY 35.00", &mut lin, "allow limit.within")?;

        let mut copy = lin.clone();
        self.pays("Lin pays again", &mut lin, "allow limit.within")?;
        self.pays("a copy of all that the band remembers", &mut copy, "deny evidence.counter")?;

        lin.band.take_off(&mut ())?;
        self.say("The band is gone, and so is the phone", "whoever takes a band off locks it");
        let mut thief = lin.clone();
        self.is_refused("the thief pays with both", self.presented(&mut thief)?, "band.not-worn")?;
        thief.band.put_on(self.now, &mut ())?;
        self.is_refused("the thief puts the band on", self.presented(&mut thief)?, "band.locked")?;
        let guessed = thief.band.unlock("0000", self.now, &mut ()).map_err(Error::from);
        self.is_refused("the thief guesses the PIN", guessed, "band.pin")?;
        lin.band = thief.band;
        let mallory = provider.person("Mallory")?;
        let band = lin.band.thumbprint();
        let opened = provider.as_owner(&mallory, |client, owner| client.open(owner, &band));
        self.is_refused("the thief opens a pairing of the band", opened, "pairing.not-owner")?;

        provider.as_owner(&lin, |client, owner| client.lost(owner, &band))?;
        self.say("Lin reports the band lost", "the registry suspends its credentials");
        lin.wear()?;
        self.pays("a shop that has the old status list", &mut lin, "allow limit.within")?;
        self.fetch(&provider)?;
        self.pays("a shop that has the new one", &mut lin, "deny status.suspended")?;
        let mut second = lin.clone();
        second.change_phone();
        self.is_refused("Lin's new phone asks for the band", provider.pair(&mut second), "pairing.lost")?;
        provider.as_owner(&lin, |client, owner| client.deactivate(owner, &band))?;
        self.say("Lin has the band back, and deactivates it", "its credentials are void for good");
        self.fetch(&provider)?;
        self.pays("the old phone", &mut lin, "deny status.revoked")?;
        let epoch = provider.pair(&mut second)?;
        self.say("The band is paired with Lin's new phone", &format!("epoch {epoch}"));
        self.pays("Lin pays with the new phone", &mut second, "allow limit.within")?;
        provider.lost_by_phone(&second)?;
        self.fetch(&provider)?;
        self.pays("a phone that reports its band lost", &mut second, "deny status.suspended")?;
        Ok(())
    }

    /// The host fetches the registry's status list, as it does when the `ttl` is over.
    fn fetch(&mut self, provider: &Provider) -> Result<()> {
        // The list is of this second.
        self.now = input::now(None)?;
        self.host.update_status(&provider.status_list()?, self.now)?;
        Ok(())
    }

    fn pays(&mut self, what: &str, person: &mut Person, told: &str) -> Result<()> {
        let challenge = self.challenge(MERCHANT, "35.00")?;
        let token = person.present(&asked(&challenge))?;
        self.decide(what, &challenge, &token, told).map(drop)
    }

    /// What a band does with a payment.
    fn presented(&self, person: &mut Person) -> Result<Result<String, Error>> {
        let challenge = self.challenge(MERCHANT, "35.00")?;
        Ok(person.present(&asked(&challenge)).map_err(Error::from))
    }

    /// Tells what a device or the registry refused.
    fn is_refused<T>(&mut self, what: &str, result: Result<T, Error>, told: &str) -> Result<()> {
        let Err(refused) = result else { bail!("{what}: it was not refused, but the story says {told}") };
        self.line(AnsiColor::Red, "refuse", refused.code(), what);
        if refused.code() != told {
            bail!("{what}: {refused}, but the story says {told}");
        }
        self.steps.push(json!({"decision": "refuse", "reason": refused.code(), "step": what}));
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
        self.line(color, word, reason, what);
        if format!("{word} {reason}") != told {
            bail!("{what}: {word} {reason}, but the story says {told}");
        }
        if let Some(members) = result.as_object_mut() {
            members.insert("step".into(), what.into());
        }
        self.steps.push(result);
        Ok(answer)
    }

    fn line(&self, color: AnsiColor, word: &str, reason: &str, what: &str) {
        if !self.json {
            let style = Style::new().fg_color(Some(color.into())).bold();
            println!("  {style}{word:8}{style:#} {reason:22} {what}");
        }
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
