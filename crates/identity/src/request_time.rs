use model::Timestamp;
use time::format_description::well_known::Rfc2822;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// How far a request's time may lie from the server's, in milliseconds (15 minutes, as on AWS).
pub const SKEW_MAX_MS: u64 = 15 * 60 * 1000;

/// The request has no time, or one that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("AWS authentication requires a valid Date or x-amz-date header")]
pub struct InvalidRequestTime;

/// The request's time lies too far from the server's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The difference between the request time and the current time is too large.")]
pub struct RequestTimeTooSkewed;

/// The time that a signed request claims, from its `x-amz-date` header or, without one, its `Date` header.
///
/// Signature version 4 writes `20260131T235959Z`, version 2 and HTTP write `Sat, 31 Jan 2026 23:59:59 GMT` (or a zone
/// as `+0000`); either form is taken in either header, as on AWS.
///
/// # Errors
/// [`InvalidRequestTime`] when there is none or it cannot be read; the `Date` header does not stand in for an
/// unreadable `x-amz-date`.
pub fn request_time(amz_date: Option<&str>, date: Option<&str>) -> Result<Timestamp, InvalidRequestTime> {
    let text = amz_date.or(date).ok_or(InvalidRequestTime)?.trim();
    let moment = basic(text).or_else(|| OffsetDateTime::parse(text, &Rfc2822).ok()).ok_or(InvalidRequestTime)?;
    let millis = moment.unix_timestamp_nanos() / 1_000_000;
    u64::try_from(millis).map(Timestamp::from_millis).map_err(|_| InvalidRequestTime)
}

fn basic(text: &str) -> Option<OffsetDateTime> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    // The year component would take a sign and more digits.
    let shape = text.len() == 16 && text.bytes().enumerate().all(|(at, b)| at == 8 || at == 15 || b.is_ascii_digit());
    if shape { PrimitiveDateTime::parse(text, format).ok().map(PrimitiveDateTime::assume_utc) } else { None }
}

/// Checks that `claimed` is within [`SKEW_MAX_MS`] of `now`, before or after.
///
/// # Errors
/// [`RequestTimeTooSkewed`] when it is not.
pub const fn check_skew(claimed: Timestamp, now: Timestamp) -> Result<(), RequestTimeTooSkewed> {
    if claimed.as_millis().abs_diff(now.as_millis()) <= SKEW_MAX_MS { Ok(()) } else { Err(RequestTimeTooSkewed) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOMENT: Timestamp = Timestamp::from_millis(1_600_000_000_000);

    #[test]
    fn both_forms_are_read_in_both_headers() {
        for text in [
            "20200913T122640Z",
            "Sun, 13 Sep 2020 12:26:40 GMT",
            "Sun, 13 Sep 2020 14:26:40 +0200",
            " 20200913T122640Z ",
        ] {
            assert_eq!(request_time(Some(text), None), Ok(MOMENT), "{text}");
            assert_eq!(request_time(None, Some(text)), Ok(MOMENT), "{text}");
        }
    }

    #[test]
    fn the_amz_header_goes_first_even_when_broken() {
        assert_eq!(request_time(Some("20200913T122640Z"), Some("junk")), Ok(MOMENT));
        assert_eq!(request_time(Some("junk"), Some("20200913T122640Z")), Err(InvalidRequestTime));
    }

    #[test]
    fn unreadable_times_are_refused() {
        assert_eq!(request_time(None, None), Err(InvalidRequestTime));
        for text in [
            "",
            "20200913",
            "20200913T122640",
            "20201313T122640Z",
            "20200913t122640Z",
            "+2020913T122640Z",
            "1600000000",
            "Sun, 13 Sep 1920 12:26:40 GMT",
            "2020-09-13T12:26:40Z",
        ] {
            assert_eq!(request_time(Some(text), None), Err(InvalidRequestTime), "{text}");
        }
    }

    #[test]
    fn fifteen_minutes_either_way_are_allowed() {
        let at = |offset: i64| Timestamp::from_millis(MOMENT.as_millis().strict_add_signed(offset));
        for offset in [0, 900_000, -900_000] {
            assert_eq!(check_skew(at(offset), MOMENT), Ok(()));
        }
        for offset in [900_001, -900_001] {
            assert_eq!(check_skew(at(offset), MOMENT), Err(RequestTimeTooSkewed));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
            let _ = request_time(Some(&text), None);
        }

        #[test]
        fn nothing_that_looks_like_a_date_makes_the_parser_panic(text in "[0-9]{8}T[0-9]{6}Z|[A-Z][a-z]{2}, [0-9]{1,2} [A-Z][a-z]{2} [0-9]{1,6} [0-9:]{8} [A-Z+-][0-9A-Z]{0,4}") {
            let _ = request_time(Some(&text), None);
        }
    }
}
