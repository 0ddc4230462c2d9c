// A till: asks for a payment, reads the wallet's answer, decides. Run it in the folder that `bandpass demo --save` leaves.
use bandpass::{Config, Host, NewChallenge, NewTransaction, Runtime, Store};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs());
    let config = Config::from_file("bandpass.toml".as_ref())?;
    let host = Host::open(&Runtime::new()?, config, Store::open("store.sqlite")?, now()?)?;

    let payload = json!({"transaction_id": format!("order-{}", now()?), "amount": "35.00", "currency": "CNY",
        "payee": {"name": "Corner Bookshop", "id": "merchant-7"}});
    let payload = payload.as_object().cloned().unwrap_or_default();
    let transactions = vec![NewTransaction { type_id: "urn:bandpass:payment:1".into(), payload }];
    let new = NewChallenge { merchant: "merchant-7".into(), transactions, ..NewChallenge::default() };
    let challenge = host.challenge(new, now()?).await?;
    println!("{}", challenge.to_json()); // to the wallet

    let mut vp_token = String::new(); // and what comes back from it
    std::io::stdin().read_line(&mut vp_token)?;
    let answer = host.respond(&challenge.id, vp_token.trim().into(), now()?).await?;
    println!("{}", answer.to_json());
    Ok(())
}
