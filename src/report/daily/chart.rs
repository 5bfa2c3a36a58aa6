//! The chart of a release: its rate with the band against the objective, its sessions and its share of users, one above the
//! other over the same time, with what was decided as marks.
//!
//! It is drawn twice with the same lines of code: as SVG, whose colours are classes of the page's style sheet so that they
//! follow light and dark, and as pixels for places that show only pictures. Coordinates are whole numbers there, so the
//! drawing is made at twice its size. Every mark has a shape and a letter of its own; no colour has to be told apart.

use std::sync::Once;

use jiff::Timestamp;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea as _};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::{DrawingAreaErrorKind, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontStyle, IntoFont as _, RGBColor, ShapeStyle, TextStyle, register_font};

use super::series::{self, Mark, MarkKind};
use super::words;
use crate::domain::daily::{AppPage, Look, ReleasePage};
use crate::domain::rate::Rate;

/// The family that every text is set in; the page's own takes its place there.
const FAMILY: &str = "sans-serif";
/// The drawing is so many times as large as it is shown.
const SCALE: i32 = 2;

/// The colours of a drawing.
#[derive(Debug, Clone, Copy)]
pub struct Palette {
    /// Behind everything.
    pub paper: RGBColor,
    /// Words and numbers.
    pub ink: RGBColor,
    /// Lines of the axes.
    pub grid: RGBColor,
    /// The rate, sessions, users.
    pub line: RGBColor,
    /// Between the bounds.
    pub band: RGBColor,
    /// The objective.
    pub objective: RGBColor,
    /// The outlines of marks.
    pub mark: RGBColor,
}

impl Palette {
    /// For pictures, which are looked at on any background.
    pub const LIGHT: Self = Self {
        paper: RGBColor(0xff, 0xff, 0xff),
        ink: RGBColor(0x1d, 0x27, 0x33),
        grid: RGBColor(0xc4, 0xce, 0xda),
        line: RGBColor(0x1f, 0x5f, 0xa8),
        band: RGBColor(0xd3, 0xe3, 0xf5),
        objective: RGBColor(0xa3, 0x3b, 0x12),
        mark: RGBColor(0x1d, 0x27, 0x33),
    };
    /// Colours that stand for classes: each is found and replaced in the finished SVG.
    const NAMES: Self = Self {
        paper: RGBColor(1, 0, 0),
        ink: RGBColor(2, 0, 0),
        grid: RGBColor(3, 0, 0),
        line: RGBColor(4, 0, 0),
        band: RGBColor(5, 0, 0),
        objective: RGBColor(6, 0, 0),
        mark: RGBColor(7, 0, 0),
    };
    /// The class that stands for each of [`Self::NAMES`], by its number.
    const CLASSES: [(&str, &str); 7] = [
        ("#010000", "paper"),
        ("#020000", "ink"),
        ("#030000", "grid"),
        ("#040000", "line"),
        ("#050000", "band"),
        ("#060000", "slo"),
        ("#070000", "mark"),
    ];
}

/// How large a drawing is and how much goes into it. Lengths are as shown.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// Its width.
    pub width: i32,
    /// The height of the panel of the rate.
    rate_height: i32,
    /// The height of each of the two panels below.
    small_height: i32,
    /// The size of its letters, from the top of the highest to the bottom of the lowest.
    font: i32,
    /// Where the axes begin, from the left.
    left: i32,
    /// Where they end, from the right.
    right: i32,
    /// Points of a line.
    points: usize,
    /// Parts of the time axis.
    times: usize,
}

impl Format {
    /// For screens, paper and pictures.
    pub const WIDE: Self = Self {
        width: 920,
        rate_height: 216,
        small_height: 76,
        font: 17,
        left: 76,
        right: 98,
        points: 180,
        times: 8,
    };
    /// For phones.
    pub const NARROW: Self = Self {
        width: 330,
        rate_height: 190,
        small_height: 70,
        font: 15,
        left: 64,
        right: 12,
        points: 80,
        times: 3,
    };
    /// Above each panel, for its title and some air.
    const TITLE: i32 = 48;
    /// Below the last panel, for the times.
    const TIMES: i32 = 24;
    /// Above the panel of the rate, for the marks.
    const MARKS: i32 = 26;

    /// Its height.
    #[must_use]
    pub const fn height(self) -> i32 {
        3 * Self::TITLE + Self::MARKS + self.rate_height + 2 * self.small_height + Self::TIMES
    }

    /// The size of the drawing, which is larger than it is shown.
    #[must_use]
    pub fn drawn(self) -> (u32, u32) {
        let drawn = |length: i32| u32::try_from(length * SCALE).unwrap_or(1);
        (drawn(self.width), drawn(self.height()))
    }
}

/// What a chart shows.
pub struct Chart<'a> {
    page: &'a AppPage,
    points: Vec<&'a Look>,
    marks: Vec<Mark>,
    format: Format,
    from: Timestamp,
    to: Timestamp,
    /// The axis of the rate.
    rates: (f64, f64),
}

/// A stretch of the drawing with its two scales, in drawn pixels.
#[derive(Debug, Clone, Copy)]
struct Panel {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
    times: (f64, f64),
    values: (f64, f64),
}

impl Panel {
    fn x(&self, at: Timestamp) -> i32 {
        self.left + share(seconds(at), self.times, self.right - self.left)
    }

    fn y(&self, value: f64) -> i32 {
        self.bottom - share(value, self.values, self.bottom - self.top)
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_second() as f64
}

/// So much of a length as a value is of its axis; never outside of it.
fn share(value: f64, (from, to): (f64, f64), length: i32) -> i32 {
    (((value - from) / (to - from)).clamp(0.0, 1.0) * f64::from(length)).round() as i32
}

type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

impl<'a> Chart<'a> {
    /// The chart of a page; none where nothing was counted yet.
    #[must_use]
    pub fn of(page: &'a AppPage, format: Format) -> Option<Self> {
        let release = page.release.as_ref()?;
        let points = series::thinned(&release.history, format.points);
        let (from, to) = series::span(&points)?;
        let rates = series::rate_axis(&points, page.slo.crash_free_sessions);
        Some(Self { page, points, marks: visible(series::marks(release), from, to), format, from, to, rates })
    }

    /// What it shows, for those who don't see it.
    #[must_use]
    pub fn description(&self) -> String {
        let zone = &self.page.zone;
        let (objective, newest) = (self.page.slo.crash_free_sessions, self.points.last());
        let shown = |ratio: Option<f64>| {
            ratio.map_or_else(|| words::UNKNOWN.to_owned(), |r| words::percent(r, objective))
        };
        let now = newest.map(|look| {
            format!(
                "At its end {} of {} sessions were crash-free, with a band from {} to {}.",
                shown(look.rate),
                crate::domain::message::grouped(look.sessions),
                shown(look.lower),
                shown(look.upper)
            )
        });
        let marks: Vec<String> = self
            .marks
            .iter()
            .map(|mark| format!("{} on {}", mark.kind.word(), words::short_moment(mark.at, zone)))
            .collect();
        let marks =
            if marks.is_empty() { "No mark.".to_owned() } else { format!("Marks: {}.", marks.join("; ")) };
        format!(
            "From {} to {}, against an objective of {}. {} The axis of the rate begins at {}. {marks}",
            words::moment(self.from, zone),
            words::moment(self.to, zone),
            shown(Some(objective.ratio())),
            now.unwrap_or_default(),
            shown(Some(self.rates.0)),
        )
    }

    /// The inside of an `svg` element whose `viewBox` is [`Format::drawn`].
    #[must_use]
    pub fn svg(&self) -> String {
        let mut document = String::new();
        {
            let area = SVGBackend::with_string(&mut document, self.format.drawn()).into_drawing_area();
            // A text is the only place that is written to.
            self.draw(&area, &Palette::NAMES)
                .and_then(|()| area.present())
                .expect("a text takes every drawing");
        }
        with_classes(inside(&document))
    }

    /// Draws the chart.
    ///
    /// # Errors
    /// Where the backend can't.
    pub fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, palette: &Palette) -> Drawn<B> {
        use_own_letters();
        let pen = Pen { area, palette, font: self.format.font * SCALE };
        let [rate, sessions, users] = self.panels();
        self.draw_times(&pen, [rate, sessions, users])?;
        self.draw_rate(&pen, rate)?;
        self.draw_sessions(&pen, sessions)?;
        self.draw_users(&pen, users)?;
        self.draw_marks(&pen, rate, users.bottom)
    }

    fn panels(&self) -> [Panel; 3] {
        let format = &self.format;
        let most_sessions = self.points.iter().map(|look| look.sessions).max().unwrap_or(0).max(1) as f64;
        let at = |top: i32, height: i32, values| Panel {
            left: format.left * SCALE,
            right: (format.width - format.right) * SCALE,
            top: top * SCALE,
            bottom: (top + height) * SCALE,
            times: (seconds(self.from), seconds(self.to)),
            values,
        };
        let first = Format::TITLE + Format::MARKS;
        let second = first + format.rate_height + Format::TITLE;
        let third = second + format.small_height + Format::TITLE;
        [
            at(first, format.rate_height, self.rates),
            at(second, format.small_height, (0.0, most_sessions)),
            at(third, format.small_height, (0.0, 1.0)),
        ]
    }

    fn draw_rate<B: DrawingBackend>(&self, pen: &Pen<'_, B>, panel: Panel) -> Drawn<B> {
        /// Parts of the axis.
        const PARTS: usize = 4;
        pen.title(panel, Format::MARKS, "Crash-free sessions")?;
        let objective = self.page.slo.crash_free_sessions;
        let known = |look: &&Look| Some((panel.x(look.at), panel.y(look.lower?), panel.y(look.upper?)));
        let band: Vec<(i32, i32, i32)> = self.points.iter().filter_map(known).collect();
        pen.band(&band)?;
        for tick in series::ticks(self.rates.0, self.rates.1, PARTS) {
            pen.grid(panel, panel.y(tick), &plain_percent(tick, self.rates))?;
        }
        let at_objective = panel.y(objective.ratio());
        pen.dashes(panel, at_objective)?;
        let line: Vec<(i32, i32)> =
            self.points.iter().filter_map(|look| Some((panel.x(look.at), panel.y(look.rate?)))).collect();
        pen.line(&line)?;
        self.label_ends(pen, panel, &line, objective)
    }

    /// The newest rate and the objective, at the right where there is room.
    fn label_ends<B: DrawingBackend>(
        &self,
        pen: &Pen<'_, B>,
        panel: Panel,
        line: &[(i32, i32)],
        objective: Rate,
    ) -> Drawn<B> {
        let at_objective = panel.y(objective.ratio());
        let named = format!("SLO {}", short_percent(objective));
        if self.format.right < self.format.left {
            // Where there is no room beside it, it stands on the side of the line that the rate does not end on.
            let below = line.last().is_some_and(|(_, end)| *end < at_objective);
            let away = if below { pen.font / 2 + 2 * SCALE } else { -pen.font / 2 - SCALE };
            let beside = (panel.right - 4 * SCALE, at_objective + away);
            return pen.text(&named, beside, HPos::Right, pen.palette.objective);
        }
        let side = panel.right + 8 * SCALE;
        let Some((_, end)) = line.last() else { return Ok(()) };
        let apart = pen.font + 2 * SCALE;
        let moved = if (end - at_objective).abs() < apart {
            at_objective + if *end < at_objective { -apart } else { apart }
        } else {
            *end
        };
        let newest = self.points.last().and_then(|look| look.rate);
        let newest = newest.map(|rate| words::percent(rate, objective)).unwrap_or_default();
        pen.text(&named, (side, at_objective), HPos::Left, pen.palette.objective)?;
        pen.text(&newest, (side, moved), HPos::Left, pen.palette.line)
    }

    fn draw_sessions<B: DrawingBackend>(&self, pen: &Pen<'_, B>, panel: Panel) -> Drawn<B> {
        pen.title(panel, 0, "Sessions counted")?;
        for tick in series::ticks(0.0, panel.values.1, 2) {
            pen.grid(panel, panel.y(tick), &short_count(tick))?;
        }
        let top: Vec<(i32, i32, i32)> = self
            .points
            .iter()
            .map(|look| (panel.x(look.at), panel.bottom, panel.y(look.sessions as f64)))
            .collect();
        pen.band(&top)?;
        pen.line(&top.iter().map(|(x, _, y)| (*x, *y)).collect::<Vec<_>>())
    }

    fn draw_users<B: DrawingBackend>(&self, pen: &Pen<'_, B>, panel: Panel) -> Drawn<B> {
        pen.title(panel, 0, "Share of users offered")?;
        for (tick, label) in [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")] {
            pen.grid(panel, panel.y(tick), label)?;
        }
        let mut steps: Vec<(i32, i32)> = Vec::new();
        let known = self
            .points
            .iter()
            .filter_map(|look| Some((panel.x(look.at), panel.y(look.user_fraction?.get()))));
        for (x, y) in known {
            steps.extend(steps.last().map(|(_, before)| (x, *before)).filter(|(_, before)| *before != y));
            steps.push((x, y));
        }
        if steps.is_empty() {
            let middle = ((panel.left + panel.right) / 2, (panel.top + panel.bottom) / 2);
            return pen.text("not told by the store", middle, HPos::Center, pen.palette.ink);
        }
        let area: Vec<(i32, i32, i32)> = steps.iter().map(|(x, y)| (*x, panel.bottom, *y)).collect();
        pen.band(&area)?;
        pen.line(&steps)
    }

    fn draw_times<B: DrawingBackend>(&self, pen: &Pen<'_, B>, panels: [Panel; 3]) -> Drawn<B> {
        let last = panels[2];
        let below = last.bottom + Format::TIMES * SCALE / 2;
        let end = (self.format.width - 2) * SCALE;
        let mut free_from = 0;
        for (at, label) in series::time_ticks(self.from, self.to, &self.page.zone, self.format.times) {
            let x = last.x(at);
            for panel in panels {
                pen.stroke(vec![(x, panel.top), (x, panel.bottom)], pen.palette.grid, SCALE / 2)?;
            }
            // A label neither leaves the drawing nor touches the one before it.
            let half = pen.width(&label) / 2;
            if x - half >= free_from && x + half <= end {
                pen.text(&label, (x, below), HPos::Center, pen.palette.ink)?;
                free_from = x + half + pen.font;
            }
        }
        Ok(())
    }

    fn draw_marks<B: DrawingBackend>(&self, pen: &Pen<'_, B>, rate: Panel, bottom: i32) -> Drawn<B> {
        /// Half of the width of a mark.
        const HALF: i32 = 10 * SCALE;
        let mut free_from = i32::MIN;
        for mark in &self.marks {
            let x = rate.x(mark.at);
            let center = (x, rate.top - Format::MARKS * SCALE / 2);
            pen.stroke(vec![(x, center.1 + HALF), (x, bottom)], pen.palette.mark, SCALE / 2)?;
            // One that would hide the mark before it is a line only; the list of decisions has them all.
            if x - HALF >= free_from {
                pen.shape(mark.kind, center, HALF)?;
                free_from = x + HALF;
            }
        }
        Ok(())
    }
}

/// From the middle of a title down to its panel.
fn pen_gap(font: i32) -> i32 {
    font * 4 / 3
}

/// The marks within the drawing.
fn visible(marks: Vec<Mark>, from: Timestamp, to: Timestamp) -> Vec<Mark> {
    marks.into_iter().filter(|mark| (from..=to).contains(&mark.at)).collect()
}

/// What draws, in which colours and letters.
struct Pen<'p, B: DrawingBackend> {
    area: &'p DrawingArea<B, Shift>,
    palette: &'p Palette,
    /// The height of letters in drawn pixels.
    font: i32,
}

impl<B: DrawingBackend> Pen<'_, B> {
    fn text(&self, text: &str, at: (i32, i32), side: HPos, color: RGBColor) -> Drawn<B> {
        let style =
            TextStyle::from((FAMILY, self.font).into_font()).color(&color).pos(Pos::new(side, VPos::Center));
        self.area.draw(&Text::new(text.to_owned(), at, style))
    }

    fn title(&self, panel: Panel, below: i32, text: &str) -> Drawn<B> {
        let y = panel.top - below * SCALE - pen_gap(self.font);
        let style = TextStyle::from((FAMILY, self.font, FontStyle::Bold).into_font())
            .color(&self.palette.ink)
            .pos(Pos::new(HPos::Left, VPos::Center));
        self.area.draw(&Text::new(text.to_owned(), (2 * SCALE, y), style))
    }

    /// How long a text is, in drawn pixels; a guess where letters can't be measured.
    fn width(&self, text: &str) -> i32 {
        let guess = i32::try_from(text.chars().count()).unwrap_or(1) * self.font * 3 / 5;
        let font = (FAMILY, self.font).into_font();
        font.box_size(text).map_or(guess, |(width, _)| i32::try_from(width).unwrap_or(guess))
    }

    fn stroke(&self, path: Vec<(i32, i32)>, color: RGBColor, width: i32) -> Drawn<B> {
        let width = u32::try_from(width.max(1)).unwrap_or(1);
        self.area.draw(&PathElement::new(
            path,
            ShapeStyle { color: color.to_rgba(), filled: false, stroke_width: width },
        ))
    }

    fn line(&self, path: &[(i32, i32)]) -> Drawn<B> {
        match path {
            [] => Ok(()),
            [only] => self.area.draw(&Circle::new(*only, 3 * SCALE, self.palette.line.filled())),
            path => self.stroke(path.to_vec(), self.palette.line, 2 * SCALE),
        }
    }

    /// Fills what lies between two lines: x, one end, the other.
    fn band(&self, points: &[(i32, i32, i32)]) -> Drawn<B> {
        if points.len() < 2 {
            return Ok(());
        }
        let there = points.iter().map(|(x, _, upper)| (*x, *upper));
        let back = points.iter().rev().map(|(x, lower, _)| (*x, *lower));
        self.area.draw(&Polygon::new(there.chain(back).collect::<Vec<_>>(), self.palette.band.filled()))
    }

    /// A line of the axis with its label.
    fn grid(&self, panel: Panel, y: i32, label: &str) -> Drawn<B> {
        self.stroke(vec![(panel.left, y), (panel.right, y)], self.palette.grid, SCALE / 2)?;
        self.text(label, (panel.left - 6 * SCALE, y), HPos::Right, self.palette.ink)
    }

    fn dashes(&self, panel: Panel, y: i32) -> Drawn<B> {
        const DASH: i32 = 7 * SCALE;
        const GAP: i32 = 5 * SCALE;
        let mut x = panel.left;
        while x < panel.right {
            let end = (x + DASH).min(panel.right);
            self.stroke(vec![(x, y), (end, y)], self.palette.objective, 3 * SCALE / 2)?;
            x += DASH + GAP;
        }
        Ok(())
    }

    /// The shape of a mark with its letter.
    fn shape(&self, kind: MarkKind, center: (i32, i32), half: i32) -> Drawn<B> {
        let corners = outline(kind, center, half);
        self.area.draw(&Polygon::new(corners.clone(), self.palette.paper.filled()))?;
        let closed = corners.iter().chain(corners.first()).copied().collect();
        self.stroke(closed, self.palette.mark, 3 * SCALE / 2)?;
        // The letter of what has a tip sits low, where it is wide.
        let lowered = if matches!(kind, MarkKind::Warn | MarkKind::Step) { half / 4 } else { 0 };
        let style = TextStyle::from((FAMILY, self.font * 9 / 10, FontStyle::Bold).into_font())
            .color(&self.palette.ink)
            .pos(Pos::new(HPos::Center, VPos::Center));
        self.area.draw(&Text::new(kind.letter(), (center.0, center.1 + lowered), style))
    }

    /// Fills the whole drawing with the paper.
    fn paper(&self, (width, height): (u32, u32)) -> Drawn<B> {
        let end = (i32::try_from(width).unwrap_or(i32::MAX), i32::try_from(height).unwrap_or(i32::MAX));
        self.area.draw(&Rectangle::new([(0, 0), end], self.palette.paper.filled()))
    }
}

/// Fills an area with the colour of the paper.
///
/// # Errors
/// Where the backend can't.
pub fn paper<B: DrawingBackend>(area: &DrawingArea<B, Shift>, palette: &Palette) -> Drawn<B> {
    Pen { area, palette, font: SCALE }.paper(area.dim_in_pixel())
}

/// Writes a text into an area; `size` is that of its letters, `at` its left middle, both in drawn pixels.
///
/// # Errors
/// Where the backend can't.
pub fn write<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    palette: &Palette,
    (text, size): (&str, i32),
    at: (i32, i32),
) -> Drawn<B> {
    use_own_letters();
    Pen { area, palette, font: size }.text(text, at, HPos::Left, palette.ink)
}

/// The corners of a shape: an octagon stops, a triangle warns, a square is let through, a house goes
/// up by a step, a diamond begins again.
fn outline(kind: MarkKind, (x, y): (i32, i32), half: i32) -> Vec<(i32, i32)> {
    let cut = half * 3 / 5;
    let offsets: &[(i32, i32)] = match kind {
        MarkKind::Halt => &[
            (-cut, -half),
            (cut, -half),
            (half, -cut),
            (half, cut),
            (cut, half),
            (-cut, half),
            (-half, cut),
            (-half, -cut),
        ],
        MarkKind::Warn => &[(0, -half), (half + cut / 2, half), (-half - cut / 2, half)],
        MarkKind::Step => {
            &[(0, -half - cut / 2), (half, -half / 3), (half, half), (-half, half), (-half, -half / 3)]
        }
        MarkKind::FastTrack => &[(-half, -half), (half, -half), (half, half), (-half, half)],
        MarkKind::Resume => {
            &[(0, -half - cut / 3), (half + cut / 3, 0), (0, half + cut / 3), (-half - cut / 3, 0)]
        }
    };
    offsets.iter().map(|(right, down)| (x + right, y + down)).collect()
}

/// The shape of a mark as SVG, for a legend.
#[must_use]
pub fn legend_shape(kind: MarkKind) -> String {
    /// Half of the width of the shape, and of the picture around it.
    const HALF: i32 = 20;
    const MIDDLE: i32 = 28;
    let corners = outline(kind, (MIDDLE, MIDDLE), HALF);
    let points: Vec<String> = corners.iter().map(|(x, y)| format!("{x},{y}")).collect();
    format!("<polygon class=\"f-paper s-mark\" stroke-width=\"3\" points=\"{}\"/>", points.join(" "))
}

/// The letters of pictures are the program's own. Measuring them serves the SVG too.
fn use_own_letters() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for (style, font) in
            [(FontStyle::Normal, notosans::REGULAR_TTF), (FontStyle::Bold, notosans::BOLD_TTF)]
        {
            // A font that can't be read would show at the first picture, in every test of it.
            let _ = register_font(FAMILY, style, font);
        }
    });
}

/// A tick of the axis of a rate, with as many digits as tell one from the next.
fn plain_percent(ratio: f64, (from, to): (f64, f64)) -> String {
    let digits = if to - from > 0.02 {
        1
    } else if to - from > 0.002 {
        2
    } else {
        3
    };
    let text = format!("{:.digits$}", ratio * 100.0);
    format!("{} %", without_zeros(&text))
}

/// An objective without the zeros at its end.
fn short_percent(rate: Rate) -> String {
    let text = rate.percent_against(rate);
    format!("{} %", without_zeros(text.trim_end_matches(" %")))
}

fn without_zeros(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// A count with a letter for thousands and millions.
fn short_count(count: f64) -> String {
    let (value, unit) = match count {
        count if count >= 1e9 => (count / 1e9, "G"),
        count if count >= 1e6 => (count / 1e6, "M"),
        count if count >= 1e3 => (count / 1e3, "k"),
        count => (count, ""),
    };
    format!("{}{unit}", without_zeros(&format!("{value:.1}")))
}

/// The inside of the outermost element.
fn inside(document: &str) -> &str {
    let after = document.split_once('>').map_or(document, |(_, rest)| rest);
    after.rsplit_once("</svg>").map_or(after, |(inside, _)| inside)
}

/// Puts classes in the place of colours, and leaves out what an SVG means anyway.
fn with_classes(svg: &str) -> String {
    let mut classed = svg
        .replace(" opacity=\"1\"", "")
        .replace(" stroke=\"none\"", "")
        .replace(" font-family=\"sans-serif\"", "");
    for (color, name) in Palette::CLASSES {
        classed = classed.replace(&format!("fill=\"{color}\""), &format!("class=\"f-{name}\""));
        classed = classed.replace(&format!("stroke=\"{color}\""), &format!("class=\"s-{name}\""));
    }
    classed
}

/// The legend of the marks that a release has.
#[must_use]
pub fn legend(release: &ReleasePage) -> Vec<MarkKind> {
    let marks = series::marks(release);
    MarkKind::ALL.into_iter().filter(|kind| marks.iter().any(|mark| mark.kind == *kind)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short_and_true() {
        assert_eq!(plain_percent(0.9995, (0.999, 1.0)), "99.95 %");
        assert_eq!(plain_percent(1.0, (0.9, 1.0)), "100 %");
        assert_eq!(short_percent(Rate::new(0.9995).unwrap()), "99.95 %");
        assert_eq!(short_percent(Rate::new(1.0).unwrap()), "100 %");
        assert_eq!(
            (short_count(0.0), short_count(1_500.0), short_count(2e6)),
            ("0".into(), "1.5k".into(), "2M".into())
        );
    }

    #[test]
    fn colours_become_classes() {
        let svg = "<svg width=\"1\"><text opacity=\"1\" fill=\"#020000\">a</text></svg>";
        assert_eq!(with_classes(inside(svg)), "<text class=\"f-ink\">a</text>");
    }
}
