//! Whether bytes can be ciphertext: a test for chunks whose key is not at hand.
//!
//! Sealed bytes are as good as random, and random bytes fail each of three tests with a probability below 2^-82, proven
//! for every length and without an approximation:
//!
//! - How many are bytes that text is made of, and how often the most frequent byte comes: sums of coin tosses, for which
//!   Chernoff's bound is `exp(-n·d)`, where `d` is the relative entropy between what was found and what was expected.
//!   The second has 256 bytes to choose from, so its bound is 256 times as large.
//! - How unevenly all byte values come: the relative entropy `d` of what was found has the bound
//!   `exp(-n·d)·(e·n·d/255)^255` (Agrawal, "Finite-Sample Concentration of the Multinomial in Relative Entropy", 2020).
//!
//! So one in 2^80 chunks is taken for plaintext wrongly: none in practice. What is found: text of at least 60 bytes in an
//! encoding that is mostly ASCII, a run of one byte of at least 12, and longer runs of anything whose byte values come
//! unevenly, which almost everything is that is neither compressed nor encrypted. What is not: compressed or encrypted
//! data, and what is shorter. Only a key proves that bytes are sealed.

/// What gives bytes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Giveaway {
    /// Too many bytes that text is made of.
    Text,
    /// One byte comes too often.
    Repetition,
    /// Some bytes come more often than others.
    Unevenness,
}

/// What shows that these bytes are not ciphertext, if anything does. Tags, salts and ciphertext pass.
pub(super) fn giveaway(bytes: &[u8]) -> Option<Giveaway> {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let length = bytes.len() as f64;
    let text: u32 = TEXT.iter().flat_map(|range| &counts[range.clone()]).sum();
    let most: u32 = counts.iter().copied().max().unwrap_or(0);
    if evidence_of_excess(f64::from(text), length, TEXT_SHARE) > COIN_LIMIT {
        Some(Giveaway::Text)
    } else if evidence_of_excess(f64::from(most), length, 1.0 / 256.0) > BYTE_LIMIT {
        Some(Giveaway::Repetition)
    } else if unevenness(&counts, length) > UNEVENNESS_LIMIT {
        Some(Giveaway::Unevenness)
    } else {
        None
    }
}

/// `n·d` of coin tosses that came out as `count` of `length` where `share` was expected; zero for fewer.
fn evidence_of_excess(count: f64, length: f64, share: f64) -> f64 {
    if count <= length * share {
        return 0.0;
    }
    let rest = length - count;
    let of_rest = if rest > 0.0 { rest * (rest / (length * (1.0 - share))).ln() } else { 0.0 };
    count * (count / (length * share)).ln() + of_rest
}

/// `n·d` of byte values that should all come equally often.
fn unevenness(counts: &[u32; 256], length: f64) -> f64 {
    let of = |count: f64| count * (count * 256.0 / length).ln();
    counts.iter().filter(|count| **count > 0).map(|count| of(f64::from(*count))).sum()
}

/// Tab, line feed, carriage return, and what ASCII prints.
const TEXT: [std::ops::Range<usize>; 3] = [9..11, 13..14, 32..127];
const TEXT_SHARE: f64 = 98.0 / 256.0;
/// 82·ln 2: the bound is then 2^-82.
const COIN_LIMIT: f64 = 56.84;
/// 90·ln 2: one of 256 bytes.
const BYTE_LIMIT: f64 = 62.39;
/// `x - 255·(1 + ln(x/255))` is 57.2 here, so the bound is below 2^-82.
const UNEVENNESS_LIMIT: f64 = 466.0;

#[cfg(test)]
mod tests {
    use envelope::{DataKey, UnlockedObject};
    use model::PartNumber;

    use super::*;

    fn sealed(length: usize) -> Vec<u8> {
        let mut chunk = vec![b'a'; length];
        let object = UnlockedObject::new(DataKey::generate());
        object.part_sealer(PartNumber::new(1).unwrap()).finish(&mut chunk).unwrap();
        chunk
    }

    fn measures(bytes: &[u8]) -> [f64; 3] {
        let mut counts = [0_u32; 256];
        for byte in bytes {
            counts[usize::from(*byte)] += 1;
        }
        let length = bytes.len() as f64;
        let text: u32 = TEXT.iter().flat_map(|range| &counts[range.clone()]).sum();
        let most = counts.iter().copied().max().unwrap();
        [
            evidence_of_excess(f64::from(text), length, TEXT_SHARE) / COIN_LIMIT,
            evidence_of_excess(f64::from(most), length, 1.0 / 256.0) / BYTE_LIMIT,
            unevenness(&counts, length) / UNEVENNESS_LIMIT,
        ]
    }

    #[test]
    fn the_limits_are_those_of_the_bounds() {
        assert!(COIN_LIMIT >= 82.0 * 2_f64.ln() && BYTE_LIMIT >= 90.0 * 2_f64.ln());
        assert!(UNEVENNESS_LIMIT - 255.0 * (1.0 + (UNEVENNESS_LIMIT / 255.0).ln()) >= 82.0 * 2_f64.ln());
        let share = TEXT.iter().map(ExactSizeIterator::len).sum::<usize>() as f64 / 256.0;
        assert!((TEXT_SHARE - share).abs() < f64::EPSILON);
    }

    #[test]
    fn no_ciphertext_of_any_length_is_taken_for_plaintext_or_comes_near() {
        let mut highest = [0.0_f64; 3];
        let lengths = (0..40_usize).cycle().take(20_000).chain((40..2_000).cycle().take(20_000));
        for length in lengths.chain([65_536; 100]) {
            let chunk = sealed(length);
            assert_eq!(giveaway(&chunk), None, "{length} bytes: {chunk:?}");
            for (highest, measure) in highest.iter_mut().zip(measures(&chunk)) {
                *highest = highest.max(measure);
            }
        }
        // The limits are far away: a limit that was nearly met would be a matter of luck.
        assert!(highest.iter().all(|measure| *measure < 0.6), "{highest:?}");
    }

    #[test]
    fn text_is_found_from_sixty_bytes_and_runs_from_twelve() {
        let text =
            "the quick brown fox jumps over the lazy dog, and then it rests for a while in the shade\n".repeat(20);
        for length in [60, 100, 1000] {
            assert_eq!(giveaway(&text.as_bytes()[..length]), Some(Giveaway::Text), "{length}");
        }
        for length in [12, 100, 65_536] {
            assert_eq!(giveaway(&vec![0; length]), Some(Giveaway::Repetition), "{length}");
        }
    }

    #[test]
    fn other_alphabets_numbers_and_programs_are_found() {
        let greek = "μῆνιν ἄειδε θεὰ Πηληϊάδεω Ἀχιλῆος οὐλομένην, ἣ μυρί᾽ Ἀχαιοῖς ἄλγε᾽ ἔθηκε ".repeat(10);
        assert!(giveaway(greek.as_bytes()).is_some());
        let numbers: Vec<u8> = (0..4096_u32).flat_map(|number| (number * 7).to_le_bytes()).collect();
        assert!(giveaway(&numbers).is_some());
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let pieces: Vec<_> = program.chunks(65_536).take(64).collect();
        let found = pieces.iter().filter(|piece| giveaway(piece).is_some()).count();
        assert!(found * 10 >= pieces.len() * 9, "{found} of {}", pieces.len());
    }

    #[test]
    fn plaintext_in_half_of_a_chunk_is_found() {
        let mut chunk = sealed(65_520);
        let text = "name,street,city,number\n".repeat(3_000);
        chunk[10_000..42_000].copy_from_slice(&text.as_bytes()[..32_000]);
        assert!(giveaway(&chunk).is_some());
    }

    #[test]
    fn what_is_too_short_passes() {
        assert_eq!(giveaway(b""), None);
        assert_eq!(giveaway(b"secret"), None);
    }
}
