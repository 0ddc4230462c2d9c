//! `docs/pairing.md`, made by trying every event in every state.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use bandpass_pairing::{Code, Device, Event, OPENING_LIFETIME, State, Status, VERIFICATION_MAX_AGE, apply};

use super::{
    NEW_PHONE, NOW, OWNER, PHONE, after, change_phone, enrol, issue, open, pair, paired, paired_and, report_lost,
};

/// The nonce that is opened, in the states where one is.
const OPENED: u8 = 2;

fn states() -> Vec<Device> {
    let mut states = vec![
        paired_and(Event::Deactivate(OWNER)),
        after(&[open(OPENED)]),
        after(&paired()),
        paired_and(change_phone(OPENED)),
        paired_and(report_lost()),
        after(&[report_lost()]),
    ];
    states.sort_by_key(Device::state);
    states
}

/// All events, rightly signed, with a heading.
fn events(device: &Device) -> [(&'static str, Event); 10] {
    [
        ("enrol", enrol()),
        ("open", open(3)),
        ("change phone", change_phone(3)),
        ("pair", pair(OPENED, NEW_PHONE)),
        ("issue, by the paired phone", issue(device.epoch, PHONE, &[1])),
        ("issue, by another", issue(device.epoch, NEW_PHONE, &[1])),
        ("lost, by the owner", report_lost()),
        ("lost, by the paired phone", Event::LostByPhone(PHONE)),
        ("found", Event::Found(OWNER)),
        ("deactivate", Event::Deactivate(OWNER)),
    ]
}

const fn name(state: State) -> &'static str {
    match state {
        State::Unpaired => "Unpaired",
        State::Opened => "Opened",
        State::Paired => "Paired",
        State::Changing => "Changing",
        State::Lost => "Lost",
        State::LostUnpaired => "LostUnpaired",
    }
}

const fn meaning(state: State) -> &'static str {
    match state {
        State::Unpaired => "paired with no phone: never yet, or deactivated",
        State::Opened => "unpaired, and its owner has opened a pairing",
        State::Paired => "paired with one phone",
        State::Changing => "paired, and its owner has opened the change to another phone",
        State::Lost => "paired, and reported lost",
        State::LostUnpaired => "unpaired, and reported lost",
    }
}

/// What an event does to the credentials' status.
fn statuses(event: &Event, before: &Device) -> &'static str {
    let done = apply(Some(before), event, NOW).expect("allowed");
    let status = done.statuses.first().map(|(_, status)| *status);
    assert!(done.statuses.iter().all(|(_, other)| Some(*other) == status), "two at once");
    match status {
        None => "",
        Some(Status::Valid) => ", status 0",
        Some(Status::Deactivated) => ", status 1",
        Some(Status::Suspended) => ", status 2",
    }
}

fn diagram() -> String {
    let mut arrows = BTreeMap::<(State, State), Vec<&str>>::new();
    for device in states() {
        for (_, event) in events(&device) {
            let Ok(done) = apply(Some(&device), &event, NOW) else { continue };
            let labels = arrows.entry((device.state(), done.device.state())).or_default();
            if device.state() != done.device.state() && !labels.contains(&event.name()) {
                labels.push(event.name());
            }
        }
    }
    let new = apply(None, &enrol(), NOW).expect("enrolled").device.state();
    let mut diagram = format!("```mermaid\nstateDiagram-v2\n    [*] --> {}: enrol\n", name(new));
    for ((from, to), labels) in arrows.into_iter().filter(|(_, labels)| !labels.is_empty()) {
        writeln!(diagram, "    {} --> {}: {}", name(from), name(to), labels.join(", ")).expect("written");
    }
    diagram + "```\n"
}

fn table() -> String {
    let headings = events(&after(&[])).map(|(heading, _)| heading);
    let mut table = format!("| | {} |\n|---|{}\n", headings.join(" | "), "---|".repeat(headings.len()));
    for device in states() {
        let cells = events(&device).map(|(_, event)| match apply(Some(&device), &event, NOW) {
            Ok(done) => format!("**{}**{}", name(done.device.state()), statuses(&event, &device)),
            Err(code) => format!("`{code}`"),
        });
        writeln!(table, "| **{}** | {} |", name(device.state()), cells.join(" | ")).expect("written");
    }
    table
}

fn page() -> String {
    let mut page = format!(
        "# The pairing of a band\n\n\
        Made from the code: `UPDATE_DOCS=1 cargo test --release -p bandpass-pairing` writes it anew.\n\n\
        A band is paired with at most one phone, and who finds it can't change that: a lost or paired band can't be paired\n\
        anew until its owner deactivates it, or has it back and changes the phone. `bandpass-pairing` (`sdk/pairing`) decides\n\
        it, a function of what is known of the band, an event and the time. Before it is called, every signature was verified.\n\n\
        {}\n| state | |\n|---|---|\n",
        diagram()
    );
    for device in states() {
        writeln!(page, "| {} | {} |", name(device.state()), meaning(device.state())).expect("written");
    }
    write!(
        page,
        "\n## Who has to sign\n\n\
        | event | signed by | does |\n|---|---|---|\n\
        | enrol | account key; band, naming the account key | an attestation says what the band measures; without one nothing |\n\
        | open | account key, user freshly verified | hands out a nonce, good for {OPENING_LIFETIME} s, in place of an earlier one |\n\
        | change phone | account key, user freshly verified | the same for a band that is paired; the old pairing holds until then |\n\
        | pair | phone, naming the band; band, naming the phone; both the nonce | epoch + 1; earlier credentials get status 1 |\n\
        | issue | paired phone, naming the band; band, naming the phone; both the epoch | each new index gets status 0 |\n\
        | lost | account key, or paired phone | valid credentials get status 2; what was opened is closed |\n\
        | found | account key, user freshly verified | what has status 2 gets 0, nothing else |\n\
        | deactivate | account key, user freshly verified | all credentials get status 1, for good; what was opened is closed |\n\n\
        *Freshly* is within {VERIFICATION_MAX_AGE} s. The account key is on neither phone nor band: `pairing.key`.\n\n\
        ## What happens in each state\n\n\
        Everything is rightly signed and in time. A paired band has a credential. *Pair* is by another phone than the paired\n\
        one, with the nonce that was opened where one was. *Status* is what entries of status lists change to.\n\n\
        {}\n\
        Before enrolment all but *enrol* is `pairing.unknown`.\n\n\
        ## Refusals\n\n\
        In the order in which they are looked for. A refused event changes nothing.\n\n\
        | code | meaning |\n|---|---|\n",
        table()
    )
    .expect("written");
    for code in Code::ALL {
        writeln!(page, "| `{code}` | {} |", code.meaning()).expect("written");
    }
    page + MODEL
}

const MODEL: &str = "
## What is proved of it

`sdk/pairing/tests/model.rs` tries every interleaving of an owner, a thief, a band, two phones, the registry (the very
function) and a verifier whose status list may be 900 s old, for three openings, three credentials and any time.
Requests come late, never or more than once. The thief steals the band, a phone or both, in any order, and calls
everything with every key that signs for him. Then:

- a band has never two live pairings;
- a lost band is not paired before its owner finds or deactivates it;
- what the owner opened pairs once;
- no approval by an unpaired phone, nor a lost band's, counts once the verifier's status list is fresh;
- a thief with the band, a phone or both gets nothing accepted, and pairs nothing.

The owner does get far: pays, loses the band, deactivates it, pairs another phone and pays again; or finds it and pays.
With any one of ten rules left out the same checker finds how it goes wrong. `MODEL=large` opens more often.

It holds for a band that locks when it is taken off and keeps its key: without the first, who has band and phone can
pay. The thief has no band that is still worn: against a relay to one the pairing does nothing. Until a verifier
fetches the next status list, it accepts what was valid before. And who has the paired phone can report the band lost,
which takes away and gives nothing.
";

#[test]
fn the_page_is_up_to_date() {
    let found_states = states().iter().map(Device::state).collect::<Vec<_>>();
    let all = [State::Unpaired, State::Opened, State::Paired, State::Changing, State::Lost, State::LostUnpaired];
    assert_eq!(found_states, all);
    let (path, page) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pairing.md"), page());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).expect("written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "docs/pairing.md: run `UPDATE_DOCS=1 cargo test --release -p bandpass-pairing`");
}
