//! Block Kit as Slack documents it: the block types that a message may have, their required fields and their limits.
//! A field that a type does not have is refused too, which the real service does for most and documents for none.
//! Source: <https://docs.slack.dev/reference/block-kit/blocks>, block elements and composition objects.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Blocks in a message.
const BLOCKS: usize = 50;
/// Characters in the text of a section, and in any text object that has no limit of its own.
const SECTION_TEXT: usize = 3_000;
/// Fields of a section.
const SECTION_FIELDS: usize = 10;
/// Characters in a field.
const FIELD_TEXT: usize = 2_000;
/// Characters in a header.
const HEADER_TEXT: usize = 150;
/// Elements of a context block.
const CONTEXT_ELEMENTS: usize = 10;
/// Elements of an actions block.
const ACTIONS_ELEMENTS: usize = 25;
/// Characters in a block id or an action id.
const ID: usize = 255;
/// Characters in the text of a button.
const BUTTON_TEXT: usize = 75;
/// Characters in the address of a button or a picture.
const URL: usize = 3_000;
/// Characters in the value of a button.
const BUTTON_VALUE: usize = 2_000;
/// Characters in the description of a picture.
const ALT_TEXT: usize = 2_000;

/// What is wrong with a block.
pub type BlockFault = String;

/// Checks the blocks of a message.
///
/// # Errors
/// The first thing that Slack would refuse, with its place.
pub fn check_blocks(blocks: &[Value]) -> Result<(), BlockFault> {
    if blocks.len() > BLOCKS {
        return Err(format!("no more than {BLOCKS} items allowed [json-pointer:/blocks]"));
    }
    let (mut block_ids, mut action_ids) = (Ids::default(), Ids::default());
    for (index, block) in blocks.iter().enumerate() {
        let place = format!("/blocks/{index}");
        let block = Object::of(block, &place)?;
        block.unique_id("block_id", &mut block_ids)?;
        one(&block, &mut action_ids)?;
    }
    Ok(())
}

fn one(block: &Object<'_>, action_ids: &mut Ids) -> Result<(), BlockFault> {
    match block.kind()? {
        "section" => section(block, action_ids),
        "header" => {
            block.knows(&["type", "block_id", "text"])?;
            text(&block.member("text")?, HEADER_TEXT, PLAIN)
        }
        "divider" => block.knows(&["type", "block_id"]),
        "context" => {
            block.knows(&["type", "block_id", "elements"])?;
            let elements = block.list("elements", 1..=CONTEXT_ELEMENTS)?;
            elements.iter().try_for_each(|element| match element.kind()? {
                "image" => image(element),
                _ => text(element, SECTION_TEXT, ANY),
            })
        }
        "actions" => {
            block.knows(&["type", "block_id", "elements"])?;
            let elements = block.list("elements", 1..=ACTIONS_ELEMENTS)?;
            elements.iter().try_for_each(|element| button(element, action_ids))
        }
        "image" => {
            block.knows(&["type", "block_id", "image_url", "alt_text", "title", "slack_file"])?;
            image_source(block)
        }
        other => Err(block.fault(&format!("unsupported type: {other}"))),
    }
}

fn section(block: &Object<'_>, action_ids: &mut Ids) -> Result<(), BlockFault> {
    block.knows(&["type", "block_id", "text", "fields", "accessory", "expand"])?;
    if !block.has("text") && !block.has("fields") {
        return Err(block.fault("missing required field: text or fields"));
    }
    if block.has("text") {
        text(&block.member("text")?, SECTION_TEXT, ANY)?;
    }
    if block.has("fields") {
        let fields = block.list("fields", 1..=SECTION_FIELDS)?;
        fields.into_iter().try_for_each(|field| text(&field, FIELD_TEXT, ANY))?;
    }
    if !block.has("accessory") {
        return Ok(());
    }
    let accessory = block.member("accessory")?;
    match accessory.kind()? {
        "image" => image(&accessory),
        _ => button(&accessory, action_ids),
    }
}

fn button(element: &Object<'_>, action_ids: &mut Ids) -> Result<(), BlockFault> {
    if element.kind()? != "button" {
        return Err(element.fault("unsupported type of element"));
    }
    element.knows(&[
        "type",
        "text",
        "action_id",
        "url",
        "value",
        "style",
        "confirm",
        "accessibility_label",
    ])?;
    text(&element.member("text")?, BUTTON_TEXT, PLAIN)?;
    element.unique_id("action_id", action_ids)?;
    element.short("value", BUTTON_VALUE)?;
    element.short("accessibility_label", BUTTON_TEXT)?;
    element.one_of("style", &["primary", "danger"])?;
    element.address("url")
}

fn image(element: &Object<'_>) -> Result<(), BlockFault> {
    element.knows(&["type", "image_url", "alt_text", "slack_file"])?;
    image_source(element)
}

fn image_source(image: &Object<'_>) -> Result<(), BlockFault> {
    image.short("alt_text", ALT_TEXT)?;
    image.address("image_url")?;
    match (image.has("alt_text"), image.has("image_url") != image.has("slack_file")) {
        (false, _) => Err(image.fault("missing required field: alt_text")),
        (_, false) => Err(image.fault("exactly one of image_url and slack_file is needed")),
        (true, true) => Ok(()),
    }
}

/// Text objects that hold no markup.
const PLAIN: &[&str] = &["plain_text"];
/// Every text object.
const ANY: &[&str] = &["plain_text", "mrkdwn"];

fn text(object: &Object<'_>, longest: usize, kinds: &[&str]) -> Result<(), BlockFault> {
    let kind = object.kind()?;
    if !kinds.contains(&kind) {
        return Err(object.fault(&format!("unsupported type of text: {kind}")));
    }
    // Only plain text has emoji to write out, and only markup has links to leave alone.
    object.knows(&["type", "text", if kind == "mrkdwn" { "verbatim" } else { "emoji" }])?;
    let length = object.text("text")?.chars().count();
    match length {
        0 => Err(object.fault("must be more than 0 characters")),
        length if length > longest => {
            Err(object.fault(&format!("must be less than {} characters", longest + 1)))
        }
        _ => Ok(()),
    }
}

/// Ids that a message has used.
type Ids = BTreeSet<String>;

/// A JSON object with its place in the message.
#[derive(Clone)]
struct Object<'v> {
    members: &'v Map<String, Value>,
    place: String,
}

impl<'v> Object<'v> {
    fn of(value: &'v Value, place: &str) -> Result<Self, BlockFault> {
        let members = value.as_object().ok_or_else(|| format!("must be an object [json-pointer:{place}]"))?;
        Ok(Self { members, place: place.to_owned() })
    }

    fn fault(&self, what: &str) -> BlockFault {
        format!("{what} [json-pointer:{}]", self.place)
    }

    fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    fn kind(&self) -> Result<&'v str, BlockFault> {
        self.text("type")
    }

    fn text(&self, name: &str) -> Result<&'v str, BlockFault> {
        let text = self.members.get(name).and_then(Value::as_str);
        text.ok_or_else(|| self.fault(&format!("missing required field: {name}")))
    }

    fn member(&self, name: &str) -> Result<Object<'v>, BlockFault> {
        let value =
            self.members.get(name).ok_or_else(|| self.fault(&format!("missing required field: {name}")))?;
        Object::of(value, &format!("{}/{name}", self.place))
    }

    fn list(
        &self,
        name: &str,
        count: std::ops::RangeInclusive<usize>,
    ) -> Result<Vec<Object<'v>>, BlockFault> {
        let list = self.members.get(name).and_then(Value::as_array);
        let list = list.ok_or_else(|| self.fault(&format!("missing required field: {name}")))?;
        if !count.contains(&list.len()) {
            return Err(self.fault(&format!("{name} has {} items, and {count:?} are allowed", list.len())));
        }
        let place = |index: usize| format!("{}/{name}/{index}", self.place);
        list.iter().enumerate().map(|(index, value)| Object::of(value, &place(index))).collect()
    }

    fn knows(&self, names: &[&str]) -> Result<(), BlockFault> {
        let unknown = self.members.keys().find(|name| !names.contains(&name.as_str()));
        unknown.map_or(Ok(()), |name| Err(self.fault(&format!("invalid additional property: {name}"))))
    }

    /// An id that may be left out, and that nothing else in the message has.
    fn unique_id(&self, name: &str, used: &mut Ids) -> Result<(), BlockFault> {
        self.short(name, ID)?;
        match self.members.get(name).and_then(Value::as_str) {
            Some(id) if !used.insert(id.to_owned()) => Err(self.fault(&format!("{name} {id} is used twice"))),
            Some(_) | None => Ok(()),
        }
    }

    /// A text that may be left out, and that is not empty and not too long where it is there.
    fn short(&self, name: &str, longest: usize) -> Result<(), BlockFault> {
        if !self.has(name) {
            return Ok(());
        }
        let length = self.text(name)?.chars().count();
        match (1..=longest).contains(&length) {
            true => Ok(()),
            false => Err(self.fault(&format!("{name} has {length} characters, and {longest} are allowed"))),
        }
    }

    fn one_of(&self, name: &str, known: &[&str]) -> Result<(), BlockFault> {
        match self.has(name) && !known.contains(&self.text(name)?) {
            true => Err(self.fault(&format!("{name} must be one of {}", known.join(", ")))),
            false => Ok(()),
        }
    }

    fn address(&self, name: &str) -> Result<(), BlockFault> {
        self.short(name, URL)?;
        if !self.has(name) {
            return Ok(());
        }
        let address = self.text(name)?;
        let is_address = ["https://", "http://"].iter().any(|scheme| address.starts_with(scheme));
        match is_address && address.chars().all(|c| c.is_ascii_graphic()) {
            true => Ok(()),
            false => Err(self.fault(&format!("{name} must be a valid URL"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fault(block: Value) -> String {
        check_blocks(&[block]).unwrap_err()
    }

    fn plain(length: usize) -> Value {
        json!({"type": "plain_text", "text": "x".repeat(length)})
    }

    #[test]
    fn each_limit_is_the_last_that_is_taken() {
        let section =
            |length| json!({"type": "section", "text": {"type": "mrkdwn", "text": "x".repeat(length)}});
        let fields = |count, length| json!({"type": "section", "fields": vec![plain(length); count]});
        let header = |length| json!({"type": "header", "text": plain(length)});
        let context = |count| json!({"type": "context", "elements": vec![plain(1); count]});
        let button = |length: usize, id: usize| json!({"type": "actions", "elements": [{"type": "button", "text": plain(length), "action_id": "x".repeat(id)}]});
        let taken = [section(3000), fields(10, 2000), header(150), context(10), button(75, 255)];
        assert_eq!(check_blocks(&taken), Ok(()));
        let refused = [
            section(3001),
            section(0),
            fields(11, 1),
            fields(1, 2001),
            header(151),
            context(11),
            context(0),
            button(76, 1),
            button(1, 256),
        ];
        for block in refused {
            assert!(check_blocks(std::slice::from_ref(&block)).is_err(), "{block}");
        }
        assert_eq!(check_blocks(&vec![json!({"type": "divider"}); 50]), Ok(()));
        assert!(check_blocks(&vec![json!({"type": "divider"}); 51]).is_err());
    }

    #[test]
    fn what_a_type_needs_must_be_there_and_nothing_else() {
        assert!(fault(json!({"type": "section"})).contains("text or fields"));
        assert!(fault(json!({"type": "header", "text": {"type": "mrkdwn", "text": "x"}})).contains("mrkdwn"));
        assert!(fault(json!({"type": "divider", "colour": "red"})).contains("colour"));
        assert!(fault(json!({"type": "carousel"})).contains("carousel"));
        assert!(fault(json!({"text": "x"})).contains("type"));
        assert!(fault(json!("section")).contains("object"));
        let verbatim = json!({"type": "plain_text", "text": "x", "verbatim": true});
        assert!(fault(json!({"type": "header", "text": verbatim})).contains("verbatim"));
        assert!(fault(json!({"type": "image", "image_url": "https://x.example/"})).contains("alt_text"));
    }

    #[test]
    fn buttons_have_ids_of_their_own_and_real_addresses() {
        let button =
            |id: &str, url: &str| json!({"type": "button", "text": plain(1), "action_id": id, "url": url});
        let actions = |elements: Vec<Value>| json!({"type": "actions", "elements": elements});
        let good = actions(vec![button("a", "https://x.example/"), button("b", "https://x.example/")]);
        assert_eq!(check_blocks(std::slice::from_ref(&good)), Ok(()));
        let twice = [
            actions(vec![button("a", "https://x.example/")]),
            actions(vec![button("a", "https://y.example/")]),
        ];
        assert!(check_blocks(&twice).unwrap_err().contains("twice"));
        assert!(fault(actions(vec![button("a", "javascript:x")])).contains("URL"));
        assert!(fault(actions(vec![button("a", "https://x example")])).contains("URL"));
    }
}
