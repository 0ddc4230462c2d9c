//! Two hosts on one database, and 64 clients who want the same things of both.

use std::collections::BTreeMap;

use bandpass::{Answer, Error, Host, IssuedChallenge, Store, verify_audit};
use bandpass_testing::Postgres;

use crate::shop::{NOW, Shop, daily, payment, payment_of, said};

const CLIENTS: usize = 64;

/// Two hosts that share nothing but the database.
fn fleet(shop: &Shop, url: &str) -> [Host; 2] {
    ["till-1", "till-2"].map(|name| {
        let mut config = shop.config(&daily("100.00"));
        config.name = name.into();
        shop.host(config, Store::open(url).expect("a store"))
    })
}

/// How often each was said. A host that has too much to do is asked again.
async fn at_once<F: Future<Output = Result<Answer, Error>> + Send + 'static>(
    clients: impl Iterator<Item = F>,
) -> BTreeMap<String, usize> {
    let clients = clients.map(tokio::spawn).collect::<Vec<_>>();
    let mut said_how_often = BTreeMap::new();
    for client in clients {
        *said_how_often.entry(said(&client.await.expect("no panic").expect("answered"))).or_default() += 1;
    }
    said_how_often
}

async fn respond(host: Host, challenge: IssuedChallenge, token: Vec<u8>) -> Result<Answer, Error> {
    loop {
        match host.respond(&challenge.id, token.clone(), NOW).await {
            Err(error) if error.code() == "host.overloaded" => {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            answered => return answered,
        }
    }
}

#[test]
fn of_sixty_four_at_once_one_wins() {
    let server = Postgres::shared().expect("a server");
    let url = server.database().expect("a database");
    Store::migrate(&url).expect("migrated");
    let shop = Shop::new();
    let hosts = fleet(&shop, &url);
    let executor =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("an executor");
    executor.block_on(async {
        // One challenge, 64 good tokens.
        let challenge = hosts[0].challenge(payment("1.00"), NOW).await.expect("a challenge");
        let mut lin = shop.customer("lin");
        let tokens = (0..CLIENTS).map(|_| lin.answer(&challenge, "swk")).collect::<Vec<_>>();
        let clients = tokens.into_iter().zip(hosts.iter().cycle());
        let answers = at_once(clients.map(|(token, host)| respond(host.clone(), challenge.clone(), token))).await;
        assert_eq!(answers.get("allow limit.within"), Some(&1), "{answers:?}");
        assert_eq!(answers.keys().filter(|said| said.starts_with("allow")).count(), 1, "{answers:?}");

        // One transaction, 64 challenges and customers.
        let mut asked = Vec::new();
        for (number, host) in (0..CLIENTS).zip(hosts.iter().cycle()) {
            let mut customer = shop.customer(&format!("customer-{number}"));
            let challenge = host.challenge(payment_of("1.00", "order-1"), NOW).await.expect("a challenge");
            let token = customer.answer(&challenge, "swk");
            asked.push((host.clone(), challenge, token));
        }
        let answers = at_once(asked.into_iter().map(|(host, challenge, token)| respond(host, challenge, token))).await;
        let told = [("allow limit.within".to_owned(), 1), ("deny transaction.used".to_owned(), CLIENTS - 1)];
        assert_eq!(answers, BTreeMap::from(told));

        // One account with 64 bands, and a cap that ten payments fill.
        let mut asked = Vec::new();
        for host in hosts.iter().cycle().take(CLIENTS) {
            let challenge = host.challenge(payment("10.00"), NOW).await.expect("a challenge");
            let token = shop.customer("wei").answer(&challenge, "swk");
            asked.push((host.clone(), challenge, token));
        }
        let answers = at_once(asked.into_iter().map(|(host, challenge, token)| respond(host, challenge, token))).await;
        let told = [("allow limit.within".to_owned(), 10), ("deny limit.daily".to_owned(), CLIENTS - 10)];
        assert_eq!(answers, BTreeMap::from(told));

        let store = Store::open(&url).expect("a store");
        let report = verify_audit(&store, &[shop.key.jwk()], &[], &[]).await.expect("read");
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        assert_eq!(report.entries.len(), 2);
    });
}
