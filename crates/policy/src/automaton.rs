//! Wildcards as a nondeterministic automaton, simulated 64 positions at a time.
//!
//! A pattern belongs to whoever put the policy, a text to whoever sends the request; the usual backtracking matcher
//! would let the two of them buy seconds of work with one request. Here a text costs its length times the pattern's,
//! divided by 64, whatever they are.

/// One step of a pattern without variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// This byte of UTF-8; a pattern's literal bytes form whole characters.
    Byte(u8),
    /// `?`: one character.
    One,
    /// `*`: any text, the empty one too.
    Many,
}

/// A set of positions in a pattern: position `n` has the steps before `n` behind it.
type Positions = Vec<u64>;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) struct Automaton {
    /// How many steps there are, stars in a row counted once; also the accepting position.
    len: usize,
    /// For each byte, which row of `literals` is its own, counted from 1. UTF-8 has fewer than 255 different bytes.
    rows: [u8; 256],
    /// Where each byte that occurs is the next step.
    literals: Vec<Positions>,
    /// Where the next step is `?`.
    one: Positions,
    /// Where the step before was `?`: the rest of a character may still come.
    after_one: Positions,
    /// Where the next step is `*`.
    many: Positions,
}

impl Automaton {
    /// A pattern of its own right, without variables: `*` and `?` are wildcards.
    pub(crate) fn of_glob(text: &str) -> Self {
        Self::new(text.bytes().map(|byte| match byte {
            b'*' => Step::Many,
            b'?' => Step::One,
            _ => Step::Byte(byte),
        }))
    }

    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let mut compact: Vec<Step> = Vec::new();
        for step in steps {
            if step != Step::Many || compact.last() != Some(&Step::Many) {
                compact.push(step);
            }
        }
        let none = vec![0; compact.len() / 64 + 1];
        let mut automaton = Self {
            len: compact.len(),
            rows: [0; 256],
            literals: Vec::new(),
            one: none.clone(),
            after_one: none.clone(),
            many: none.clone(),
        };
        for (at, step) in compact.into_iter().enumerate() {
            match step {
                Step::Many => insert(&mut automaton.many, at),
                Step::One => {
                    insert(&mut automaton.one, at);
                    insert(&mut automaton.after_one, at + 1);
                }
                Step::Byte(byte) => {
                    let row = &mut automaton.rows[usize::from(byte)];
                    if *row == 0 {
                        automaton.literals.push(none.clone());
                        *row = u8::try_from(automaton.literals.len()).expect("UTF-8 has fewer than 255 bytes");
                    }
                    insert(&mut automaton.literals[usize::from(*row) - 1], at);
                }
            }
        }
        automaton
    }

    /// Whether the whole of `text` is described.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let reached = self.read(text);
        reached[self.len / 64] >> (self.len % 64) & 1 == 1
    }

    /// Whether some text that begins with `prefix` and is longer is described.
    pub(crate) fn matches_below(&self, prefix: &str) -> bool {
        let mut reached = self.read(prefix);
        // Every position but the last has a step before it, and every step can produce a character.
        reached[self.len / 64] &= !(1 << (self.len % 64));
        reached.iter().any(|word| *word != 0)
    }

    /// The positions that can be reached by reading `text`.
    fn read(&self, text: &str) -> Positions {
        let mut reached = vec![0; self.many.len()];
        reached[0] = 1 | ((self.many[0] & 1) << 1);
        for byte in text.bytes() {
            if !self.advance(&mut reached, byte) {
                break;
            }
        }
        reached
    }

    /// Reads one byte; false when no position is left.
    fn advance(&self, reached: &mut Positions, byte: u8) -> bool {
        let literal = self.rows[usize::from(byte)].checked_sub(1).map(|row| &self.literals[usize::from(row)]);
        // Only the first byte of a character is one that `?` takes; those that follow belong to it. No other step can
        // take them by mistake: a literal begins with a first byte too.
        let continues = byte & 0xC0 == 0x80;
        let (mut moved_carry, mut skipped_carry, mut alive) = (0, 0, 0);
        for (at, word) in reached.iter_mut().enumerate() {
            let takes = literal.map_or(0, |row| row[at]) | if continues { 0 } else { self.one[at] };
            let stays = self.many[at] | if continues { self.after_one[at] } else { 0 };
            let moved = *word & takes;
            let next = (*word & stays) | (moved << 1) | moved_carry;
            moved_carry = moved >> 63;
            // A star may also be over. Stars in a row are one, so this leads to no further star.
            let skipped = next & self.many[at];
            *word = next | (skipped << 1) | skipped_carry;
            skipped_carry = skipped >> 63;
            alive |= *word;
        }
        alive != 0
    }
}

fn insert(positions: &mut Positions, at: usize) {
    positions[at / 64] |= 1 << (at % 64);
}
