//! Text with wildcards and policy variables.

use crate::automaton::{Automaton, Step};
use crate::condition::keys;
use crate::verdict::Verdict;
use crate::{Context, MalformedPolicy};

/// Which special characters a text may hold, and how it is compared.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Syntax {
    /// `*` and `?` are wildcards.
    pub(crate) wildcards: bool,
    /// `${name}` is a policy variable, `${*}`, `${?}` and `${$}` are the characters themselves.
    pub(crate) variables: bool,
    /// Upper and lower case are the same.
    pub(crate) ignores_case: bool,
}

/// A parsed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    glyphs: Vec<Glyph>,
    ignores_case: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Glyph {
    Step(Step),
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
        while let Some(first) = rest.chars().next() {
            if syntax.variables && rest.starts_with("${") {
                let (body, after) = rest[2..].split_once('}').ok_or(MalformedPolicy::InvalidConditionKey)?;
                glyphs.push(variable(body)?);
                rest = after;
                continue;
            }
            match first {
                '*' if syntax.wildcards => glyphs.push(Glyph::Step(Step::Many)),
                '?' if syntax.wildcards => glyphs.push(Glyph::Step(Step::One)),
                _ => glyphs.extend(literal(first, syntax.ignores_case).map(Glyph::Step)),
            }
            rest = &rest[first.len_utf8()..];
        }
        Ok(Self { glyphs, ignores_case: syntax.ignores_case })
    }

    /// Whether the whole of `text` is meant. Unknown when that hangs on a variable which the request does not fill.
    pub(crate) fn matches(&self, text: &str, context: &Context) -> Verdict {
        let folded = self.ignores_case.then(|| text.chars().flat_map(char::to_lowercase).collect::<String>());
        let text = folded.as_deref().unwrap_or(text);
        let Some((steps, certain)) = self.resolve(context, text.len()) else { return Verdict::No };
        match (Automaton::new(steps).matches(text), certain) {
            (false, _) => Verdict::No,
            (true, true) => Verdict::Yes,
            (true, false) => Verdict::Unknown,
        }
    }

    /// Whether the whole of `text` is meant, a variable standing for any text.
    pub(crate) fn may_match(&self, text: &str) -> bool {
        self.matches(text, &Context::new()) != Verdict::No
    }

    /// Whether some text that is longer than `prefix` and begins with it may be meant, a variable standing for any
    /// text.
    pub(crate) fn may_match_below(&self, prefix: &str) -> bool {
        let resolved = self.resolve(&Context::new(), usize::MAX);
        resolved.is_some_and(|(steps, _)| Automaton::new(steps).matches_below(prefix))
    }

    /// Whether there is neither a wildcard nor a variable.
    pub(crate) fn is_literal(&self) -> bool {
        self.glyphs.iter().all(|glyph| matches!(glyph, Glyph::Step(Step::Byte(_))))
    }

    /// Splits at the first `count - 1` literal colons; fewer pieces when there are fewer colons.
    pub(crate) fn split_colons(&self, count: usize) -> Vec<Self> {
        let pieces = self.glyphs.splitn(count, |glyph| *glyph == Glyph::Step(Step::Byte(b':')));
        pieces.map(|glyphs| Self { glyphs: glyphs.to_vec(), ignores_case: self.ignores_case }).collect()
    }

    /// The steps with every variable filled, and whether all could be; one that could not stands for any text.
    ///
    /// `None` when more literal bytes than `len_max` come together, so that nothing as short can match: a policy
    /// that names a long value a thousand times must not become a thousand copies of it.
    fn resolve(&self, context: &Context, len_max: usize) -> Option<(Vec<Step>, bool)> {
        let (mut certain, mut literals) = (true, 0);
        let mut steps = Vec::with_capacity(self.glyphs.len());
        for glyph in &self.glyphs {
            match glyph {
                Glyph::Step(step) => {
                    literals += usize::from(matches!(step, Step::Byte(_)));
                    steps.push(*step);
                }
                Glyph::Variable(variable) => match variable.value(context) {
                    Some(value) => {
                        let before = steps.len();
                        steps.extend(value.chars().flat_map(|character| literal(character, self.ignores_case)));
                        literals += steps.len() - before;
                    }
                    None => {
                        certain = false;
                        steps.push(Step::Many);
                    }
                },
            }
            if literals > len_max {
                return None;
            }
        }
        Some((steps, certain))
    }
}

impl Variable {
    /// The value in this request. A key with several values has none (IAM user guide, "Policy variables").
    fn value<'a>(&'a self, context: &'a Context) -> Option<&'a str> {
        match context.get(&self.name) {
            Some([value]) => Some(value.as_ref()),
            _ => self.default.as_deref(),
        }
    }
}

/// The bytes of a character, folded character by character, so that where a text is cut makes no difference.
fn literal(character: char, folded: bool) -> impl Iterator<Item = Step> {
    let mut text = String::with_capacity(4);
    if folded {
        text.extend(character.to_lowercase())
    } else {
        text.push(character)
    }
    text.into_bytes().into_iter().map(Step::Byte)
}

/// Reads what stands between `${` and `}`.
fn variable(body: &str) -> Result<Glyph, MalformedPolicy> {
    if let [single @ (b'*' | b'?' | b'$')] = body.as_bytes() {
        return Ok(Glyph::Step(Step::Byte(*single)));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GLOB: Syntax = Syntax { wildcards: true, variables: false, ignores_case: false };
    const FULL: Syntax = Syntax { variables: true, ..GLOB };

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
    fn positions_beyond_one_machine_word_are_tracked() {
        for length in [62, 63, 64, 65, 127, 128, 200] {
            let text = "ab".repeat(length);
            for glob in
                [text.clone(), format!("*{}", &text[1..]), format!("{}*?", &text[..length]), "?".repeat(2 * length)]
            {
                assert!(pattern(&glob, GLOB).may_match(&text), "{glob}");
                assert!(!pattern(&glob, GLOB).may_match(&format!("c{text}d")) || glob.ends_with("*?"), "{glob}");
            }
        }
    }

    #[test]
    fn many_wildcards_against_a_long_text_are_quick() {
        // A matcher that tries every way to share out the text among the stars does not end.
        let text = "a".repeat(16_000);
        for glob in ["*a".repeat(10_000) + "b", format!("*{}b", "a?".repeat(5_000))] {
            assert!(!pattern(&glob, GLOB).may_match(&text));
        }
    }

    #[test]
    fn a_long_value_named_a_thousand_times_is_not_copied_as_often() {
        let parsed = pattern(&"${aws:Referer}".repeat(1_400), FULL);
        let context = Context::new().with("aws:Referer", "a".repeat(16_000));
        let text = "a".repeat(16_000);
        assert_eq!(parsed.resolve(&context, text.len()), None);
        assert_eq!(parsed.matches(&text, &context), Verdict::No);
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
