//! Text with wildcards and policy variables, matched without recursion.
//!
//! The matcher remembers only the last `*`: a longer text cannot be saved by an earlier one, so the time is at most
//! the product of the two lengths, and both are bounded (a policy by its size, a request by its headers).

use std::borrow::Cow;

use crate::condition::keys;
use crate::verdict::Verdict;
use crate::{Context, MalformedPolicy};

/// Which special characters a text may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Syntax {
    /// `*` and `?` are wildcards.
    pub(crate) wildcards: bool,
    /// `${name}` is a policy variable, `${*}`, `${?}` and `${$}` are the characters themselves.
    pub(crate) variables: bool,
}

/// A parsed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    glyphs: Vec<Glyph>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Glyph {
    Byte(u8),
    /// `?`: one character.
    One,
    /// `*`: any text, the empty one too.
    Many,
    Variable(Box<Variable>),
}

/// `${name}` or `${name, 'default'}`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Variable {
    name: String,
    default: Option<String>,
}

impl Pattern {
    /// # Errors
    /// [`MalformedPolicy::InvalidConditionKey`] for a variable that is not closed or whose name no request can carry.
    pub(crate) fn parse(text: &str, syntax: Syntax) -> Result<Self, MalformedPolicy> {
        let mut glyphs = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.bytes().next() {
            if syntax.variables && rest.starts_with("${") {
                let (body, after) = rest[2..].split_once('}').ok_or(MalformedPolicy::InvalidConditionKey)?;
                glyphs.push(variable(body)?);
                rest = after;
                continue;
            }
            let length = char_len(first).min(rest.len());
            match first {
                b'*' if syntax.wildcards => glyphs.push(Glyph::Many),
                b'?' if syntax.wildcards => glyphs.push(Glyph::One),
                _ => glyphs.extend(rest[..length].bytes().map(Glyph::Byte)),
            }
            rest = &rest[length..];
        }
        Ok(Self { glyphs })
    }

    /// Whether the whole of `text` is meant. Unknown when that hangs on a variable which the request does not fill.
    pub(crate) fn matches(&self, text: &str, context: &Context) -> Verdict {
        let (glyphs, certain) = self.resolve(context);
        verdict(glob(&glyphs, text.as_bytes()), certain)
    }

    /// [`Self::matches`] without regard to case; the pattern itself must have gone through [`Self::into_lowercase`].
    pub(crate) fn matches_lowercase(&self, text: &str, context: &Context) -> Verdict {
        let (mut glyphs, certain) = self.resolve(context);
        if let Cow::Owned(resolved) = &mut glyphs {
            *resolved = lowercase(resolved);
        }
        verdict(glob(&glyphs, fold(text).as_bytes()), certain)
    }

    /// Folds the literal text.
    pub(crate) fn into_lowercase(self) -> Self {
        Self { glyphs: lowercase(&self.glyphs) }
    }

    /// Whether the whole of `text` is meant, a variable standing for any text.
    pub(crate) fn may_match(&self, text: &str) -> bool {
        self.matches(text, &Context::new()) != Verdict::No
    }

    /// Whether some text that is longer than `prefix` and begins with it may be meant.
    pub(crate) fn may_match_below(&self, prefix: &str) -> bool {
        let (glyphs, _) = self.resolve(&Context::new());
        // Positions in the pattern that can be reached by reading the prefix, as in a nondeterministic automaton.
        let mut reached = vec![false; glyphs.len() + 1];
        reached[0] = true;
        pass_stars(&glyphs, &mut reached);
        for character in prefix.chars() {
            let mut bytes = [0; 4];
            let encoded = character.encode_utf8(&mut bytes).as_bytes();
            let mut next = vec![false; glyphs.len() + 1];
            for at in (0..glyphs.len()).filter(|at| reached[*at]) {
                match &glyphs[at] {
                    Glyph::Many => next[at] = true,
                    Glyph::One => next[at + 1] = true,
                    Glyph::Byte(_) if literal(&glyphs[at..], encoded) => next[at + encoded.len()] = true,
                    Glyph::Byte(_) | Glyph::Variable(_) => {}
                }
            }
            pass_stars(&glyphs, &mut next);
            reached = next;
        }
        // Every position but the last has a glyph behind it, and every glyph can produce a character.
        reached[..glyphs.len()].contains(&true)
    }

    /// Whether there is neither a wildcard nor a variable.
    pub(crate) fn is_literal(&self) -> bool {
        self.glyphs.iter().all(|glyph| matches!(glyph, Glyph::Byte(_)))
    }

    /// Splits at the first `count - 1` literal colons; fewer pieces when there are fewer colons.
    pub(crate) fn split_colons(&self, count: usize) -> Vec<Self> {
        let pieces = self.glyphs.splitn(count, |glyph| *glyph == Glyph::Byte(b':'));
        pieces.map(|glyphs| Self { glyphs: glyphs.to_vec() }).collect()
    }

    /// The pattern with its variables filled, and whether all could be. One that could not stands for any text.
    fn resolve(&self, context: &Context) -> (Cow<'_, [Glyph]>, bool) {
        if !self.glyphs.iter().any(|glyph| matches!(glyph, Glyph::Variable(_))) {
            return (Cow::Borrowed(&self.glyphs), true);
        }
        let mut certain = true;
        let mut resolved = Vec::with_capacity(self.glyphs.len());
        for glyph in &self.glyphs {
            let Glyph::Variable(variable) = glyph else {
                resolved.push(glyph.clone());
                continue;
            };
            // A key with several values cannot be a variable (IAM user guide, "Policy variables").
            let value = match context.get(&variable.name) {
                Some([value]) => Some(value.as_ref()),
                _ => variable.default.as_deref(),
            };
            match value {
                Some(value) => resolved.extend(value.bytes().map(Glyph::Byte)),
                None => {
                    certain = false;
                    resolved.push(Glyph::Many);
                }
            }
        }
        (Cow::Owned(resolved), certain)
    }
}

const fn verdict(matched: bool, certain: bool) -> Verdict {
    match (matched, certain) {
        (false, _) => Verdict::No,
        (true, true) => Verdict::Yes,
        (true, false) => Verdict::Unknown,
    }
}

/// Lower case character by character, so that where a text is cut makes no difference.
fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// [`fold`] for the runs of literal bytes, which are whole characters always.
fn lowercase(glyphs: &[Glyph]) -> Vec<Glyph> {
    let mut folded = Vec::with_capacity(glyphs.len());
    let mut run = Vec::new();
    for glyph in glyphs {
        if let Glyph::Byte(byte) = glyph {
            run.push(*byte);
            continue;
        }
        flush(&mut run, &mut folded);
        folded.push(glyph.clone());
    }
    flush(&mut run, &mut folded);
    folded
}

fn flush(run: &mut Vec<u8>, folded: &mut Vec<Glyph>) {
    folded.extend(fold(&String::from_utf8_lossy(run)).bytes().map(Glyph::Byte));
    run.clear();
}

/// Reads what stands between `${` and `}`.
fn variable(body: &str) -> Result<Glyph, MalformedPolicy> {
    if let [single @ (b'*' | b'?' | b'$')] = body.as_bytes() {
        return Ok(Glyph::Byte(*single));
    }
    let (name, default) = match body.split_once(',') {
        None => (body, None),
        Some((name, default)) => {
            let default = default.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
            (name, Some(default.ok_or(MalformedPolicy::InvalidConditionKey)?.to_owned()))
        }
    };
    let name = name.trim();
    if !keys::is_known(name) {
        return Err(MalformedPolicy::InvalidConditionKey);
    }
    Ok(Glyph::Variable(Box::new(Variable { name: name.to_owned(), default })))
}

/// Whether `glyphs`, free of variables, describe the whole of `text`, which is UTF-8.
fn glob(glyphs: &[Glyph], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    // Where the last star stands, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    loop {
        match glyphs.get(at) {
            Some(Glyph::Many) => {
                at += 1;
                star = Some((at, read));
                continue;
            }
            Some(Glyph::One) if read < text.len() => {
                at += 1;
                read += char_len(text[read]);
                continue;
            }
            Some(Glyph::Byte(byte)) if text.get(read) == Some(byte) => {
                at += 1;
                read += 1;
                continue;
            }
            None if read >= text.len() => return true,
            _ => {}
        }
        let Some((behind, taken)) = star else { return false };
        if taken >= text.len() {
            return false;
        }
        let taken = taken + char_len(text[taken]);
        star = Some((behind, taken));
        (at, read) = (behind, taken);
    }
}

fn pass_stars(glyphs: &[Glyph], reached: &mut [bool]) {
    for at in 0..glyphs.len() {
        if reached[at] && glyphs[at] == Glyph::Many {
            reached[at + 1] = true;
        }
    }
}

fn literal(glyphs: &[Glyph], bytes: &[u8]) -> bool {
    glyphs.len() >= bytes.len() && glyphs.iter().zip(bytes).all(|(glyph, byte)| *glyph == Glyph::Byte(*byte))
}

/// The length in bytes of the UTF-8 character that begins with `first`.
const fn char_len(first: u8) -> usize {
    match first {
        0..=0xBF => 1,
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0.. => 4,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GLOB: Syntax = Syntax { wildcards: true, variables: false };
    const FULL: Syntax = Syntax { wildcards: true, variables: true };

    /// The definition, followed literally: exponential, and obviously right.
    fn reference(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => {
                reference(rest, text) || text.split_first().is_some_and(|(_, shorter)| reference(pattern, shorter))
            }
            (Some(('?', rest)), Some((_, shorter))) => reference(rest, shorter),
            (Some((a, rest)), Some((b, shorter))) => a == b && reference(rest, shorter),
            _ => false,
        }
    }

    fn pattern(text: &str, syntax: Syntax) -> Pattern {
        Pattern::parse(text, syntax).expect("a pattern")
    }

    proptest! {
        #[test]
        fn matching_equals_the_definition(text in "[ab/é€]{0,8}", glob in "[ab/é€*?]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = reference(&chars(&glob), &chars(&text));
            prop_assert_eq!(pattern(&glob, GLOB).may_match(&text), expected);
        }

        #[test]
        fn what_lies_below_a_prefix_is_found(prefix in "[ab/é]{0,3}", rest in "[ab/é]{1,3}", glob in "[ab/é*?]{0,5}") {
            let parsed = pattern(&glob, GLOB);
            if parsed.may_match(&format!("{prefix}{rest}")) {
                prop_assert!(parsed.may_match_below(&prefix));
            }
        }

        #[test]
        fn nothing_below_a_prefix_is_invented(prefix in "[ab]{0,3}", glob in "[ab*?]{0,5}") {
            let parsed = pattern(&glob, GLOB);
            let mut below = vec![String::new()];
            for _ in 0..5 {
                below = below.iter().flat_map(|t| ["", "a", "b"].map(|c| format!("{t}{c}"))).collect();
            }
            let found = below.iter().any(|t| !t.is_empty() && parsed.may_match(&format!("{prefix}{t}")));
            prop_assert_eq!(parsed.may_match_below(&prefix), found);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}", subject in "\\PC{0,40}") {
            for syntax in [GLOB, FULL] {
                if let Ok(parsed) = Pattern::parse(&text, syntax) {
                    parsed.may_match(&subject);
                    parsed.may_match_below(&subject);
                }
            }
        }
    }

    #[test]
    fn many_stars_do_not_explode() {
        let parsed = pattern(&"a*".repeat(5_000), GLOB);
        assert!(!parsed.may_match(&format!("{}b", "a".repeat(4_000))));
        assert!(!pattern(&format!("{}b", "*a".repeat(40)), GLOB).may_match(&"a".repeat(2_000)));
    }

    #[test]
    fn variables_take_their_value_literally() {
        let parsed = pattern("home/${aws:username}/*", FULL);
        let context = Context::new().with("aws:UserName", "a*");
        assert_eq!(parsed.matches("home/a*/x", &context), Verdict::Yes);
        assert_eq!(parsed.matches("home/ab/x", &context), Verdict::No);
        assert_eq!(parsed.matches("home/ab/x", &Context::new()), Verdict::Unknown);
        assert_eq!(parsed.matches("other/ab/x", &Context::new()), Verdict::No);
    }

    #[test]
    fn a_default_stands_in_for_a_missing_value() {
        let parsed = pattern("${aws:username, 'nobody'}", FULL);
        assert_eq!(parsed.matches("nobody", &Context::new()), Verdict::Yes);
        assert_eq!(parsed.matches("nobody", &Context::new().with("aws:username", "eve")), Verdict::No);
    }

    #[test]
    fn escaped_wildcards_are_characters() {
        assert!(pattern("a${*}${?}${$}", FULL).may_match("a*?$"));
        assert!(!pattern("a${*}${?}${$}", FULL).may_match("abc$"));
    }

    #[test]
    fn variables_are_plain_text_where_they_do_not_work() {
        assert!(pattern("${aws:username}", GLOB).may_match("${aws:username}"));
    }

    #[test]
    fn broken_and_unknown_variables_are_refused() {
        for text in ["${", "${aws:username", "${}", "${nonsense}", "${aws:username,nobody}", "${**}"] {
            assert!(Pattern::parse(text, FULL).is_err(), "{text}");
        }
    }
}
