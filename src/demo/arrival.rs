//! What happened on a device, and when the export shows it. Compact: rows are written only once they arrive.

/// Which build of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Build {
    /// The release that is watched.
    New,
    /// The one before it.
    Old,
}

/// Whether the user lets crash reports be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Collection {
    Enabled,
    Disabled,
}

/// The start of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session {
    pub at_us: i64,
    pub number: u64,
    /// Number of the session that the person's visit began with.
    pub first: u64,
    /// 0 for a cold start.
    pub index: u32,
    pub person: u32,
    pub build: Build,
    pub collection: Collection,
}

/// Where the app was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Process {
    Foreground,
    Background,
    /// The export says `UNKNOWN_PROCESS_STATE`.
    Unknown,
    /// The export says nothing.
    Missing,
}

/// What kind of report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Fatal,
    Anr,
    NonFatal,
}

/// A crash report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Report {
    pub at_us: i64,
    pub number: u64,
    /// The number of its session, where the report has one.
    pub session: Option<u64>,
    pub person: u32,
    pub build: Build,
    pub kind: Kind,
    pub process: Process,
    /// A number from which its issue is chosen.
    pub draw: u8,
}

/// One or the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    Session(Session),
    Report(Report),
}

/// An event and when the export shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    pub received_us: i64,
    pub event: Event,
}

/// Events that have happened and not arrived yet.
#[derive(Debug, Clone, Default)]
pub struct OnTheWay(Vec<Arrival>);

impl OnTheWay {
    pub fn send(&mut self, event: Event, received_us: i64) {
        self.0.push(Arrival { received_us, event });
    }

    /// Takes out what arrives before an instant, in the order of arrival.
    pub fn arrived_before(&mut self, to_us: i64) -> Vec<Arrival> {
        let mut arrived: Vec<Arrival> =
            self.0.extract_if(.., |arrival| arrival.received_us < to_us).collect();
        arrived.sort_unstable();
        arrived
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(at_us: i64) -> Event {
        Event::Report(Report {
            at_us,
            number: 0,
            session: None,
            person: 0,
            build: Build::New,
            kind: Kind::Fatal,
            process: Process::Foreground,
            draw: 0,
        })
    }

    #[test]
    fn events_arrive_in_order_and_not_before_their_time() {
        let mut on_the_way = OnTheWay::default();
        on_the_way.send(report(1), 30);
        on_the_way.send(report(2), 10);
        on_the_way.send(report(3), 20);
        let received: Vec<i64> = on_the_way.arrived_before(30).iter().map(|a| a.received_us).collect();
        assert_eq!(received, [10, 20]);
        assert_eq!(on_the_way.arrived_before(31).len(), 1);
    }
}
