//! Text that somebody else wrote, on a terminal.

/// Letters of any script and printable ASCII stay; what moves the cursor or turns the direction of writing is escaped.
pub(crate) fn plain(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || c.is_ascii_graphic() || c == ' ' || c == '\n';
    text.chars().flat_map(|c| if is_plain(c) { vec![c] } else { c.escape_unicode().collect() }).collect()
}

/// As [`plain`], on one line.
pub(crate) fn line(text: &str) -> String {
    plain(text).replace('\n', "\\n")
}
