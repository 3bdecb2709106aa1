//! XML 1.0 in and out, in the one shape that the models need: a root named as the model, children named as the JSON fields,
//! a list as repeated children.
//!
//! Reading is strict where documents attack or err: no document type, no entities but the five predefined, three levels and
//! no more, nothing after the root. Namespaces and comments are ignored.

use std::{borrow::Cow, fmt::Display};

use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesDecl, BytesRef, BytesStart, Event},
};

use super::fields::{Fields, LISTS, Texts, Value};

/// Attributes of one element. To find a repeated one, each is compared with all before it.
const ATTRIBUTES_MAX: usize = 16;

/// How a list's items are named, as in the vendor's arrays of strings.
const ITEM: &str = "string";

/// The fields of a document whose root is `root`; fails with a sentence for the caller.
pub fn fields<'a>(text: &'a str, root: &str) -> Result<Fields<'a>, String> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut document = Document {
        root,
        depth: 0,
        done: false,
        fields: Fields::default(),
        at: None,
    };
    let mut first = true;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Eof => break,
            Event::Decl(declaration) if first => check_declaration(&declaration)?,
            Event::Decl(_) => return Err("the XML declaration is not at the beginning".into()),
            Event::DocType(_) => return Err("a document type is not accepted".into()),
            Event::Comment(_) | Event::PI(_) => {}
            Event::Start(tag) => document.open(&tag)?,
            Event::Empty(tag) => {
                document.open(&tag)?;
                document.close()?;
            }
            Event::End(_) => document.close()?,
            Event::Text(text) => document.text(text.xml10_content())?,
            Event::CData(text) => document.text(text.xml10_content())?,
            Event::GeneralRef(reference) => document.text(resolve(&reference)?)?,
        }
        first = false;
    }
    document.finish()
}

fn check_declaration(declaration: &BytesDecl<'_>) -> Result<(), String> {
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(encoding)) if encoding.eq_ignore_ascii_case("utf-8") => Ok(()),
        Some(_) => Err("the encoding must be UTF-8".into()),
    }
}

fn resolve<'a>(reference: &BytesRef<'_>) -> Result<Cow<'a, str>, String> {
    if let Some(char) = reference
        .resolve_char_ref()
        .map_err(|error| error.to_string())?
    {
        return Ok(Cow::Owned(char.to_string()));
    }
    resolve_predefined_entity(reference)
        .map(Cow::Borrowed)
        .ok_or_else(|| "only the five predefined entities are known".to_owned())
}

/// What XML 1.0 section 2.2 calls a Char.
fn is_char(char: char) -> bool {
    match char {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        char => char >= ' ',
    }
}

struct Document<'a, 'r> {
    root: &'r str,
    depth: usize,
    done: bool,
    fields: Fields<'a>,
    /// The field whose element is open.
    at: Option<Field<'a>>,
}

struct Field<'a> {
    name: String,
    text: Cow<'a, str>,
    nil: bool,
    /// Holds elements that its model does not know.
    strange: bool,
    list: Option<Texts<'a>>,
}

impl<'a> Document<'a, '_> {
    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), String> {
        let name = tag.local_name().into_inner();
        let nil = is_nil(tag)?;
        match (self.depth, &mut self.at) {
            (0, _) if self.done => return Err("something follows the root element".into()),
            (0, _) if name != self.root => {
                return Err(format!("the root element must be `{}`", self.root));
            }
            (0, _) => {}
            (1, at) => {
                let list = LISTS.contains(&name).then(Texts::default);
                let (name, text) = (name.to_owned(), Cow::Borrowed(""));
                *at = Some(Field {
                    name,
                    text,
                    nil,
                    strange: false,
                    list,
                });
            }
            (2, Some(field)) => {
                field.strange |= field.list.is_none() || name != ITEM || !is_blank(&field.text);
                field.text = Cow::Borrowed("");
            }
            _ => return Err("the elements are nested too deeply".into()),
        }
        self.depth += 1;
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        self.depth = self
            .depth
            .checked_sub(1)
            .ok_or("an element ends that did not begin")?;
        match self.depth {
            0 => self.done = true,
            1 => {
                if let Some(field) = self.at.take() {
                    let Field {
                        name,
                        text,
                        nil,
                        strange,
                        list,
                    } = field;
                    let value = match list {
                        _ if nil => Value::Null,
                        Some(texts) if !strange && is_blank(&text) => Value::Texts(texts),
                        None if !strange => Value::Untyped(text),
                        _ => Value::Other,
                    };
                    self.fields.push(name.into(), value)?;
                }
            }
            _ => {
                if let Some(field) = &mut self.at {
                    let item = std::mem::take(&mut field.text);
                    if let Some(list) = &mut field.list {
                        list.push(item);
                    }
                }
            }
        }
        Ok(())
    }

    fn text(&mut self, text: Cow<'a, str>) -> Result<(), String> {
        if !text.chars().all(is_char) {
            return Err("a character is not one that XML allows".into());
        }
        match &mut self.at {
            Some(field) if field.text.is_empty() => field.text = text,
            Some(field) => field.text.to_mut().push_str(&text),
            None if is_blank(&text) => {}
            None => return Err("there is text outside the fields".into()),
        }
        Ok(())
    }

    fn finish(self) -> Result<Fields<'a>, String> {
        if self.done {
            Ok(self.fields)
        } else {
            Err("the document ends before its root element".into())
        }
    }
}

fn is_blank(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// Reads the attributes, of which only `nil` (XML Schema's) counts.
fn is_nil(tag: &BytesStart<'_>) -> Result<bool, String> {
    let mut nil = false;
    for (at, attribute) in tag.attributes().enumerate() {
        if at >= ATTRIBUTES_MAX {
            return Err(format!(
                "an element has more than {ATTRIBUTES_MAX} attributes"
            ));
        }
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| error.to_string())?;
        nil |= attribute.key.local_name().into_inner() == "nil" && matches!(&*value, "true" | "1");
    }
    Ok(nil)
}

/// Writes a document.
#[derive(Debug)]
pub struct Writer(String);

impl Writer {
    /// A whole document with this root.
    pub fn document(root: &str, content: impl FnOnce(&mut Writer)) -> String {
        let mut writer = Writer("<?xml version=\"1.0\" encoding=\"utf-8\"?>".to_owned());
        writer.element(root, content);
        writer.0
    }

    pub fn element(&mut self, name: &str, content: impl FnOnce(&mut Writer)) {
        self.tag("<", name);
        content(self);
        self.tag("</", name);
    }

    pub fn number(&mut self, name: &str, number: impl Display) {
        self.element(name, |inside| inside.0.push_str(&number.to_string()));
    }

    /// A text; what XML cannot hold becomes the replacement character.
    pub fn text(&mut self, name: &str, text: &str) {
        self.element(name, |inside| {
            text.chars().for_each(|char| inside.char(char))
        });
    }

    fn tag(&mut self, open: &str, name: &str) {
        self.0.push_str(open);
        self.0.push_str(name);
        self.0.push('>');
    }

    fn char(&mut self, char: char) {
        match char {
            '&' => self.0.push_str("&amp;"),
            '<' => self.0.push_str("&lt;"),
            '>' => self.0.push_str("&gt;"),
            '\r' => self.0.push_str("&#13;"),
            char if is_char(char) => self.0.push(char),
            _ => self.0.push(char::REPLACEMENT_CHARACTER),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_gives_its_fields() {
        let text = "<?xml version='1.0' encoding='UTF-8'?>\n<!-- c --><m:Model xmlns:m='urn:x' xmlns:i='urn:i'>\
             <advertiserId> 12 </advertiserId><m:name>a &amp; <![CDATA[<b>]]>&#x21;</m:name><description/>\n\
             <identifiers>\n<string>x</string><string/>  <string>y&lt;</string></identifiers>\
             <gumCallerId i:nil='true'/><more><inside>1</inside></more></m:Model>\n";
        let mut read = fields(text, "Model").expect("reads");
        assert_eq!(
            read.integer("advertiserId").expect("is an integer"),
            Some(12)
        );
        assert_eq!(
            read.text("name").expect("is text").as_deref(),
            Some("a & <b>!")
        );
        assert_eq!(
            read.text("description").expect("is text").as_deref(),
            Some("")
        );
        assert_eq!(read.integer("gumCallerId").expect("is null"), None);
        let texts = read
            .texts("identifiers")
            .expect("is a list")
            .expect("is there");
        assert_eq!(texts.kept, ["x", "", "y<"]);
        assert!(matches!(&texts.kept[0], Cow::Borrowed("x")));
        assert!(read.text("more").is_err());
    }

    #[test]
    fn an_empty_list_is_a_list() {
        for empty in ["<identifiers/>", "<identifiers> </identifiers>"] {
            let body = format!("<M>{empty}</M>");
            let texts = fields(&body, "M")
                .expect("reads")
                .texts("identifiers")
                .expect("is a list");
            assert_eq!(texts.expect("is there").count, 0);
        }
        for wrong in [
            "a",
            "<int>1</int>",
            "x<string>a</string>",
            "<string>a</string>x",
        ] {
            let body = format!("<M><identifiers>{wrong}</identifiers></M>");
            assert!(
                fields(&body, "M")
                    .expect("reads")
                    .texts("identifiers")
                    .is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn hostile_and_broken_documents_are_refused() {
        let bomb =
            "<!DOCTYPE M [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><M><name>&b;</name></M>";
        let deep = format!("<M>{}{}</M>", "<a>".repeat(100_000), "</a>".repeat(100_000));
        let many: String = (0..17).map(|at| format!(" a{at}=''")).collect();
        let many = format!("<M{many}/>");
        let wrong = [
            &many,
            "",
            " ",
            "x",
            "<N/>",
            "<M>",
            "<M><name>",
            "</M>",
            "<M></N>",
            "<M/><M/>",
            "<M/>x",
            "x<M/>",
            "<M>x</M>",
            "<M><name>a</name><name>b</name></M>",
            "<M><name>&b;</name></M>",
            "<M><name>&#0;</name></M>",
            "<M><name>&#1;</name></M>",
            "<M><name>\u{1}</name></M>",
            "<M><name>a & b</name></M>",
            "<M><name a='&b;'/></M>",
            "<M><name a='1' a='2'/></M>",
            "<M><a><b><c/></b></a></M>",
            "<M><identifiers><string><b/></string></identifiers></M>",
            "<?xml version='1.0' encoding='utf-16'?><M/>",
            "<M/><?xml version='1.0'?>",
            "<!DOCTYPE M><M/>",
            bomb,
            &deep,
        ];
        for body in wrong {
            assert!(
                fields(body, "M").is_err(),
                "{}",
                &body[..body.len().min(60)]
            );
        }
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        let text = Writer::document("M", |root| {
            root.number("advertiserId", 12);
            root.text("name", "a<b>&\"c\"\r\n\u{1}ü");
            root.element("identifiers", |list| list.text(ITEM, "x"));
        });
        let mut read = fields(&text, "M").expect("reads");
        assert_eq!(
            read.integer("advertiserId").expect("is an integer"),
            Some(12)
        );
        assert_eq!(
            read.text("name").expect("is text").as_deref(),
            Some("a<b>&\"c\"\r\n\u{fffd}ü")
        );
        assert_eq!(
            read.texts("identifiers")
                .expect("is a list")
                .expect("is there")
                .kept,
            ["x"]
        );
    }
}
