//! Answers in XML, as a small tree. Depth and length are bounded before anything is built.

use quick_xml::Reader;
use quick_xml::events::Event;

/// An element with its text and children; names without prefix.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// The root of a document; none when it is not well-formed, or deeper than any answer of S3.
    pub(crate) fn parse(document: &[u8]) -> Option<Self> {
        let document = std::str::from_utf8(document).ok()?;
        let mut reader = Reader::from_str(document);
        // The bottom of the stack stands for the document itself.
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) if open.len() <= DEEPEST => open.push(Self::named(start.local_name().as_ref())),
                Event::Start(_) => return None,
                Event::Empty(start) => open.last_mut()?.children.push(Self::named(start.local_name().as_ref())),
                Event::Text(text) => open.last_mut()?.text.push_str(&text.xml10_content().ok()?),
                Event::CData(text) => open.last_mut()?.text.push_str(&text.decode().ok()?),
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref().ok()? {
                        Some(character) => character,
                        None => entity(reference.as_ref())?,
                    };
                    open.last_mut()?.text.push(resolved);
                }
                Event::End(_) => {
                    let done = open.pop()?;
                    open.last_mut()?.children.push(done);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        let mut bottom = open.pop().filter(|_| open.is_empty())?;
        (bottom.children.len() == 1).then(|| bottom.children.remove(0))
    }

    fn named(name: &[u8]) -> Self {
        Self { name: String::from_utf8_lossy(name).into_owned(), ..Self::default() }
    }

    /// The name of the element.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The children of this name.
    pub(crate) fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first child of this name.
    pub(crate) fn text_of<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.children(name).next().map(|child| child.text.as_str())
    }
}

fn entity(name: &[u8]) -> Option<char> {
    match name {
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"amp" => Some('&'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        _ => None,
    }
}

/// Text as it may stand in an element.
pub(crate) fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

const DEEPEST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_becomes_a_tree() {
        let document =
            b"<?xml version=\"1.0\"?>\n<L xmlns='x'><Prefix/><C><Key>a&amp;&#60;b&lt;</Key></C><C><Key>c</Key></C></L>";
        let root = Element::parse(document).unwrap();
        assert_eq!(root.name(), "L");
        let keys: Vec<_> = root.children("C").filter_map(|each| each.text_of("Key")).collect();
        assert_eq!((keys, root.text_of("Prefix"), root.text_of("Key")), (vec!["a&<b<", "c"], Some(""), None));
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let deep = [vec!["<a>"; 100].concat(), vec!["</a>"; 100].concat()].concat();
        for document in ["", "text", "<a>", "<a></b>", "<a/><b/>", "<a>&unknown;</a>", "<!DOCTYPE a>", &deep] {
            assert_eq!(Element::parse(document.as_bytes()), None, "{document}");
        }
        assert_eq!(Element::parse(b"<a>\xff</a>"), None);
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escaped("\"a\"<&>"), "&quot;a&quot;&lt;&amp;&gt;");
    }
}
