//! The main chart as a PNG, for channels that show pictures and no pages.

use plotters::drawing::IntoDrawingArea as _;
use plotters::prelude::BitMapBackend;

use super::chart::{self, Chart, Format, Palette};
use super::words;
use crate::domain::daily::AppPage;
use crate::domain::plain;
use crate::ports::Image;

/// The headline above the chart, in drawn pixels.
const HEADLINE: u32 = 96;
/// Empty space at each side of the chart, in drawn pixels.
const MARGIN: u32 = 40;
/// The size of the headline's letters, in drawn pixels.
const LETTERS: i32 = 38;
/// A headline that is longer would leave the picture.
const LONGEST_HEADLINE: usize = 84;
const BYTES_OF_A_PIXEL: usize = 3;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The chart could not be drawn.
    #[error("the chart could not be drawn: {0}")]
    Drawing(String),
    /// The pixels could not be written as a file.
    #[error("the picture could not be encoded: {0}")]
    Encoding(#[from] png::EncodingError),
}

/// The picture of an app; none where nothing was counted yet.
///
/// # Errors
/// Where it can't be drawn or encoded: a fault of the program, and never of what it shows.
pub fn image(page: &AppPage) -> Result<Option<Image>, PictureError> {
    let Some(chart) = Chart::of(page, Format::WIDE) else { return Ok(None) };
    let headline = headline(page);
    let bytes = png(&chart, &headline)?;
    let alt = format!("{headline}. {}", chart.description());
    let (name, title) = (format!("report-{}.png", page.app), headline);
    Ok(Some(Image { name, title, alt, bytes }))
}

/// Which release, and how it stands.
fn headline(page: &AppPage) -> String {
    let standing = words::standing(page);
    let version = page.release.as_ref().map(|release| format!(" {}", plain::line(release.version.as_str())));
    let cycle = page.release.as_ref().and_then(|release| release.cycle.as_ref());
    let rate = cycle.map(|cycle| format!(", {} crash-free sessions", words::rate(&cycle.sessions)));
    let text = format!(
        "{}{} ({}): {}{}",
        page.app,
        version.unwrap_or_default(),
        page.platform,
        standing.word,
        rate.unwrap_or_default()
    );
    plain::cut(&text, LONGEST_HEADLINE)
}

fn png(chart: &Chart<'_>, headline: &str) -> Result<Vec<u8>, PictureError> {
    let (width, height) = Format::WIDE.drawn();
    let (width, height) = (width + 2 * MARGIN, height + HEADLINE + MARGIN);
    let mut pixels = vec![0_u8; width as usize * height as usize * BYTES_OF_A_PIXEL];
    draw(chart, headline, &mut pixels, (width, height)).map_err(PictureError::Drawing)?;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(bytes)
}

fn draw(chart: &Chart<'_>, headline: &str, pixels: &mut [u8], size: (u32, u32)) -> Result<(), String> {
    let palette = &Palette::LIGHT;
    let area = BitMapBackend::with_buffer(pixels, size).into_drawing_area();
    let drawn = || {
        chart::paper(&area, palette)?;
        let left = i32::try_from(MARGIN).unwrap_or_default();
        chart::write(
            &area,
            palette,
            (headline, LETTERS),
            (left, i32::try_from(HEADLINE / 2).unwrap_or_default()),
        )?;
        let below = area.margin(HEADLINE, MARGIN, MARGIN, MARGIN);
        chart.draw(&below, palette)?;
        area.present()
    };
    drawn().map_err(|error| error.to_string())
}
