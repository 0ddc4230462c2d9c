//! How old the holder is, from `birthdate` or `age_equal_or_over`.

use alloc::string::String;

use serde_json::{Map, Value};

use crate::encoding::decimal;
use crate::error::{Code, Error};

/// The claim whose members tell the age. An mdoc has an element for each, such as `age_equal_or_over.18`.
pub(crate) const NESTED: &str = "age_equal_or_over";

/// A day in the Gregorian calendar, such as a `birthdate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// 0 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

impl Date {
    /// A day as `YYYY-MM-DD` (ISO 8601, RFC 3339 `full-date`); none if there is no such day.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (Some(b'-'), Some(b'-'), 10) = (text.as_bytes().get(4), text.as_bytes().get(7), text.len()) else {
            return None;
        };
        let number = |from, to| digits(text.get(from..to)?);
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        let exists = (1..=days).contains(&day);
        exists.then_some(Self { year: year.try_into().ok()?, month: month.try_into().ok()?, day: day.try_into().ok()? })
    }

    /// Full years from this day to `now` (seconds since 1970) in UTC; none if the day is still to come.
    ///
    /// Who was born on 29 February is a year older on 1 March where there is no such day. Laws differ; this is the later.
    #[must_use]
    pub fn years_at(self, now: u64) -> Option<u64> {
        let (year, month, day) = civil(now);
        let years = year.checked_sub(self.year.into())?;
        match (month, day) < (self.month.into(), self.day.into()) {
            true => years.checked_sub(1),
            false => Some(years),
        }
    }

    /// Days since 1970-01-01; none before it. The inverse of [`civil`].
    #[cfg(feature = "mdoc")]
    fn days(self) -> Option<u64> {
        let (year, month) = (u64::from(self.year), u64::from(self.month));
        let (year, month) = if month < 3 { (year.checked_sub(1)?, month + 9) } else { (year, month - 3) };
        let day = (153 * month + 2) / 5 + u64::from(self.day) - 1;
        (365 * year + year / 4 - year / 100 + year / 400 + day).checked_sub(719_468)
    }
}

/// Seconds since 1970 at a time in UTC as `YYYY-MM-DDThh:mm:ssZ` (RFC 3339), in whole seconds; none if there is no such time,
/// or it is earlier.
#[cfg(feature = "mdoc")]
pub(crate) fn date_time(text: &str) -> Option<u64> {
    let (date, time) = text.split_once('T')?;
    let (Some(b':'), Some(b':'), Some(b'Z'), 9) =
        (time.as_bytes().get(2), time.as_bytes().get(5), time.as_bytes().get(8), time.len())
    else {
        return None;
    };
    let part = |from, to, most| digits(time.get(from..to)?).filter(|part| *part <= most);
    let (hours, minutes, seconds) = (part(0, 2, 23)?, part(3, 5, 59)?, part(6, 8, 59)?);
    Some(Date::parse(date)?.days()? * 86_400 + hours * 3_600 + minutes * 60 + seconds)
}

/// Year, month and day in UTC. Days are counted in years that start on 1 March and in periods of 400 years, which are all
/// equally long.
fn civil(now: u64) -> (u64, u64, u64) {
    // 1970-01-01 is that many days after 0000-03-01.
    let days = now / 86_400 + 719_468;
    let (period, day) = (days / 146_097, days % 146_097);
    // Leap days fall out: one in 4 years, save in 100, but not in 400.
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // March to July and August to December have the same 153 days.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let is_next_year = month >= 10;
    (period * 400 + year + u64::from(is_next_year), if is_next_year { month - 9 } else { month + 3 }, day)
}

/// Whether the claims say that the holder has that many full years. What contradicts it counts against it.
pub(crate) fn is_at_least(claims: &Map<String, Value>, years: u8, now: u64) -> Result<bool, Error> {
    let years = u64::from(years);
    let malformed = |claim: &str, why| Error::new(Code::ClaimsMalformed, why).claim(claim);
    let (mut yes, mut no) = (false, false);
    if let Some(found) = claims.get("birthdate") {
        let date = found.as_str().and_then(Date::parse);
        let date = date.ok_or_else(|| malformed("birthdate", "the claim is not a date such as `1990-05-17`"))?;
        match date.years_at(now).is_some_and(|age| age >= years) {
            true => yes = true,
            false => no = true,
        }
    }
    if let Some(found) = claims.get("age_equal_or_over") {
        let malformed = || malformed("age_equal_or_over", "the claim is not an object of booleans");
        for (age, is_over) in found.as_object().ok_or_else(malformed)? {
            let is_over = is_over.as_bool().ok_or_else(malformed)?;
            let Some(age) = number(age) else { continue };
            yes |= is_over && age >= years;
            no |= !is_over && age <= years;
        }
    }
    if !yes && !no {
        let error = Error::new(Code::ClaimsMissing, "no claim that was disclosed tells the age that was asked for");
        return Err(error.claim(&age_claim(years)));
    }
    Ok(yes && !no)
}

/// The claim that would tell.
pub(crate) fn age_claim(years: u64) -> String {
    ["age_equal_or_over.", &decimal(years)].concat()
}

/// Decimal digits without a leading zero.
fn number(text: &str) -> Option<u64> {
    let is_plain = text == "0" || !text.is_empty() && !text.starts_with('0');
    is_plain.then(|| digits(text)).flatten()
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().try_fold(0_u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use jiff::civil::date;
    use jiff::tz::TimeZone;
    use jiff::{Timestamp, Unit};
    use serde_json::json;
    use std::vec::Vec;

    fn seconds(year: i16, month: i8, day: i8) -> u64 {
        let midnight = date(year, month, day).to_zoned(TimeZone::UTC).expect("a day");
        midnight.timestamp().as_second().try_into().expect("after 1970")
    }

    #[test]
    #[cfg(feature = "mdoc")]
    fn times_are_those_of_jiff() {
        for days in 0..400 * 366_u64 {
            let now = days * 86_400 + days % 86_400;
            let peer = Timestamp::from_second(now.cast_signed()).expect("a time");
            assert_eq!(date_time(&format!("{peer}")), Some(now), "{peer}");
        }
        for bad in [
            "2020-10-01T13:30:02",
            "2020-10-01T13:30:02.0Z",
            "2020-10-01T24:00:00Z",
            "2020-02-30T00:00:00Z",
            "2020-10-01t13:30:02Z",
            "1969-12-31T23:59:59Z",
            "2020-10-01T13:30:60Z",
            "2020-10-01T+1:30:00Z",
            "T",
            "",
        ] {
            assert_eq!(date_time(bad), None, "{bad}");
        }
    }

    /// Every day of 400 years and then some, at its first and its last second.
    #[test]
    fn days_are_those_of_jiff() {
        for days in 0..400 * 366_u64 {
            for now in [days * 86_400, days * 86_400 + 86_399] {
                let peer = Timestamp::from_second(now.cast_signed()).expect("a time").to_zoned(TimeZone::UTC).date();
                let peer = (peer.year().cast_unsigned(), peer.month().cast_unsigned(), peer.day().cast_unsigned());
                assert_eq!(civil(now), (peer.0.into(), peer.1.into(), peer.2.into()), "{now}");
            }
        }
        assert!(civil(u64::MAX).0 > 500_000_000_000, "nothing overflows");
    }

    #[test]
    fn dates_are_those_of_jiff() {
        for year in ["0000", "0001", "0004", "0100", "0400", "1900", "1990", "2000", "2024", "2100", "9999"] {
            for month in 0..=13 {
                for day in 0..=32 {
                    let text = format!("{year}-{month:02}-{day:02}");
                    let peer = text.parse::<jiff::civil::Date>().ok();
                    let found = Date::parse(&text).map(|date| (date.year.cast_signed(), date.month, date.day));
                    let peer = peer.map(|peer| (peer.year(), peer.month().cast_unsigned(), peer.day().cast_unsigned()));
                    assert_eq!(found, peer, "{text}");
                }
            }
        }
        for refused in [
            "",
            "1990",
            "1990-05",
            "1990-5-17",
            "19900517",
            "1990-137",
            "+1990-05-17",
            "-1990-05-17",
            "1990-05-17Z",
            "1990-05-17T00:00:00Z",
            " 1990-05-17",
            "1990-05-+7",
            "1990/05/17",
            "1990\u{2010}05-1",
            "١٩٩٠-٠٥-١٧",
        ] {
            assert_eq!(Date::parse(refused), None, "{refused}");
        }
    }

    /// Every birthday of five years against every day of ten others; leap days are the exception, as written.
    #[test]
    fn years_are_those_of_jiff() {
        let days =
            |year: i16| date(year, 1, 1).series(jiff::Span::new().days(1)).take_while(move |day| day.year() == year);
        let born = [1899, 1999, 2000, 2004, 2100].into_iter().flat_map(days).collect::<Vec<_>>();
        for now in [1999, 2000, 2003, 2018, 2022, 2024, 2100].into_iter().flat_map(days) {
            let at = seconds(now.year(), now.month(), now.day());
            for born in &born {
                let here = Date::parse(&std::format!("{born}")).expect("a date").years_at(at + 86_399);
                let span = born.until((Unit::Year, now)).expect("a span");
                let leap_day = born.month() == 2 && born.day() == 29;
                let peer = (*born <= now).then(|| u64::from(span.get_years().unsigned_abs()));
                if leap_day && now.month() == 2 && now.day() == 28 && !now.in_leap_year() {
                    assert!(here <= peer, "never earlier: {born} at {now}");
                } else {
                    assert_eq!(here, peer, "{born} at {now}");
                }
            }
        }
    }

    #[test]
    fn leap_days_have_their_birthday_on_the_first_of_march() {
        let born = Date::parse("2004-02-29").expect("a date");
        assert_eq!(born.years_at(seconds(2022, 3, 1) - 1), Some(17));
        assert_eq!(born.years_at(seconds(2022, 3, 1)), Some(18));
        assert_eq!(born.years_at(seconds(2024, 2, 29) - 1), Some(19));
        assert_eq!(born.years_at(seconds(2024, 2, 29)), Some(20));
        assert_eq!(born.years_at(0), None);
    }

    #[test]
    fn what_tells_the_age() {
        let now = seconds(2026, 9, 21);
        let told = |claims: Value| {
            let verdict = is_at_least(claims.as_object().expect("an object"), 18, now);
            verdict.map_err(|error| error.code())
        };
        for yes in [
            json!({"birthdate": "2008-09-21"}),
            json!({"age_equal_or_over": {"18": true}}),
            json!({"age_equal_or_over": {"21": true}}),
            json!({"age_equal_or_over": {"16": true, "18": true, "65": false}}),
            json!({"birthdate": "1990-05-17", "age_equal_or_over": {"16": true, "65": false}}),
        ] {
            assert_eq!(told(yes.clone()), Ok(true), "{yes}");
        }
        for no in [
            json!({"birthdate": "2008-09-22"}),
            json!({"birthdate": "2030-01-01"}),
            json!({"age_equal_or_over": {"18": false}}),
            json!({"age_equal_or_over": {"16": false}}),
            json!({"age_equal_or_over": {"18": true, "16": false}}),
            json!({"birthdate": "1990-05-17", "age_equal_or_over": {"18": false}}),
            json!({"birthdate": "2010-05-17", "age_equal_or_over": {"18": true}}),
        ] {
            assert_eq!(told(no.clone()), Ok(false), "{no}");
        }
        for silent in [
            json!({}),
            json!({"age_equal_or_over": {}}),
            json!({"age_equal_or_over": {"16": true}}),
            json!({"age_equal_or_over": {"21": false}}),
            json!({"age_equal_or_over": {"018": true, "+18": true, "18.0": true, "": true, "99999999999999999999": true}}),
            json!({"age_over_18": true}),
        ] {
            assert_eq!(told(silent.clone()), Err(Code::ClaimsMissing), "{silent}");
        }
        for malformed in [
            json!({"birthdate": "1990"}),
            json!({"birthdate": 1990}),
            json!({"birthdate": "1990-02-30", "age_equal_or_over": {"18": true}}),
            json!({"age_equal_or_over": [18]}),
            json!({"age_equal_or_over": {"18": "true"}}),
            json!({"age_equal_or_over": {"18": 1}, "birthdate": "1990-05-17"}),
        ] {
            assert_eq!(told(malformed.clone()), Err(Code::ClaimsMalformed), "{malformed}");
        }
    }
}
