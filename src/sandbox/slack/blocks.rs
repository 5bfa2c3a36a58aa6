//! The documented limits of Block Kit that a message can break without noticing it. Only sizes are checked.

use serde_json::Value;

/// Blocks in a message.
const BLOCKS: usize = 50;
/// Characters in the text of a section.
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

/// Whether a message may have these blocks.
pub(super) fn are_valid(blocks: &[Value]) -> bool {
    blocks.len() <= BLOCKS && blocks.iter().all(is_valid)
}

fn is_valid(block: &Value) -> bool {
    match block["type"].as_str() {
        Some("section") => is_section(block),
        Some("header") => is_text(&block["text"], HEADER_TEXT) && block["text"]["type"] == "plain_text",
        Some("context") => (1..=CONTEXT_ELEMENTS).contains(&count(&block["elements"])),
        Some("actions") => (1..=ACTIONS_ELEMENTS).contains(&count(&block["elements"])),
        Some(_) => true,
        None => false,
    }
}

fn is_section(block: &Value) -> bool {
    let text_fits = block["text"].is_null() || is_text(&block["text"], SECTION_TEXT);
    let fields = block["fields"].as_array().map_or(&[] as &[Value], Vec::as_slice);
    let fields_fit = fields.len() <= SECTION_FIELDS && fields.iter().all(|field| is_text(field, FIELD_TEXT));
    text_fits && fields_fit && (!block["text"].is_null() || !fields.is_empty())
}

fn is_text(object: &Value, limit: usize) -> bool {
    let length = object["text"].as_str().map_or(0, |text| text.chars().count());
    matches!(object["type"].as_str(), Some("mrkdwn" | "plain_text")) && (1..=limit).contains(&length)
}

fn count(list: &Value) -> usize {
    list.as_array().map_or(0, Vec::len)
}
