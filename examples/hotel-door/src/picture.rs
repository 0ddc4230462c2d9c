//! A door in a terminal.

/// A closed door, or an open one, with its number, a light, and what it says.
#[must_use]
pub fn door(name: &str, opened: bool, low_battery: bool, says: &str) -> String {
    let light = if opened { "\x1b[32m●\x1b[0m" } else { "\x1b[31m●\x1b[0m" };
    let battery = if low_battery { " \x1b[33m▁ battery low\x1b[0m" } else { "" };
    let [first, middle, last] = match opened {
        true => [format!("│╲ {name:^6}    │"), "│ ╲┃         │".to_owned(), "│ ╱┃         │".to_owned()],
        false => [format!("│   {name:^6}   │"), "│            │".to_owned(), "│          ┃ │".to_owned()],
    };
    format!(
        "      ┌────────────┐\n      {first}  {light}{battery}\n      {middle}  {says}\n      {last}\n      └────────────┘"
    )
}
