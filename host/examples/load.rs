//! Customers who pay without end, for tests that kill this program: `load FOLDER STORE NAME`. Each line says what is about to
//! be asked, or what was told: `ask CHALLENGE ACCOUNT AMOUNT TOKEN`, `told CHALLENGE DECISION REASON ID RECEIPT`.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "whatever goes wrong here ends the test")]

#[path = "../tests/support/shop.rs"]
mod shop;

use std::io::Write as _;
use std::path::Path;

use bandpass::{Host, Store};
use shop::{NOW, Shop, daily, payment};

/// Who pays at once, and from how many accounts.
const CLIENTS: usize = 8;
const ACCOUNTS: usize = 3;

fn main() {
    let arguments = std::env::args().collect::<Vec<_>>();
    let shop = Shop::in_folder(Path::new(&arguments[1]));
    let mut config = shop.config(&daily("150.00"));
    config.name.clone_from(&arguments[3]);
    let host = shop.host(config, Store::open(&arguments[2]).expect("a store"));
    let executor = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("an executor");
    let clients = (0..CLIENTS).map(|client| executor.spawn(pay(host.clone(), shop.clone(), client)));
    let clients = clients.collect::<Vec<_>>();
    for client in clients {
        executor.block_on(client).expect("no panic");
    }
}

async fn pay(host: Host, shop: Shop, client: usize) {
    let account = format!("account-{}", client % ACCOUNTS);
    let mut customer = shop.customer(&account);
    for number in 0.. {
        let amount = format!("{}.{:02}", 1 + number % 7, (number * 37 + client) % 100);
        // A store that fails is a part of the test: nothing was told, so nothing must be there.
        let Ok(challenge) = host.challenge(payment(&amount), NOW).await else { continue };
        let token = customer.answer(&challenge, "swk");
        say(&format!("ask {} {account} {amount} {}", challenge.id, String::from_utf8_lossy(&token)));
        let Ok(answer) = host.respond(&challenge.id, token, NOW).await else { continue };
        let (id, receipt) = (answer.decision_id.as_deref().unwrap_or("-"), answer.receipt.as_deref().unwrap_or("-"));
        say(&format!("told {} {} {} {id} {receipt}", challenge.id, answer.decision(), answer.reason()));
    }
}

/// In one piece, and at once.
fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    output.write_all(format!("{line}\n").as_bytes()).and_then(|()| output.flush()).expect("somebody listens");
}
