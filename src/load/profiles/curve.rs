//! [`Curve`]: a rate made of straight pieces.
//!
//! Pure. In a piece that begins at t0 with rate r0 and ends with r1 after a length L, the integral is
//! `I(t0) + r0 (t - t0) + a (t - t0)^2 / 2` with `a = (r1 - r0) / L`; it reaches `I(t0) + n` at
//! `t0 + 2n / (r0 + sqrt(r0^2 + 2 a n))`, the root of the quadratic that does not cancel. Only operations that IEEE 754 defines to
//! the last bit are used, so due times are the same on every machine.

use super::spacing::Intensity;

/// A piece: the rate goes evenly from one value to another.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    /// Its begin, seconds.
    start: f64,
    /// Its length, seconds, above zero; infinite only with a constant rate.
    length: f64,
    /// The rate at its begin, a second.
    from: f64,
    /// What the rate gains in a second.
    slope: f64,
    /// Arrivals intended before it.
    before: f64,
}

impl Piece {
    fn intended(&self, seconds: f64) -> f64 {
        let into = (seconds - self.start).clamp(0.0, self.length);
        self.before + into * (self.from + self.slope * into / 2.0)
    }

    fn reached(&self, arrivals: f64) -> f64 {
        let more = arrivals - self.before;
        if more <= 0.0 {
            return self.start;
        }
        // Rounding at the end of a piece that falls to nothing must not make a root of a negative number.
        let root = (self.from * self.from + 2.0 * self.slope * more).max(0.0);
        self.start + (2.0 * more / (self.from + root.sqrt())).min(self.length)
    }
}

/// A rate made of straight pieces; [`Curve::finally`] adds the last one, which has no end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Curve {
    pieces: Vec<Piece>,
    /// Where the next piece begins, seconds.
    end: f64,
    /// Arrivals intended up to there.
    total: f64,
}

impl Curve {
    /// Adds a piece of this length (seconds) in which the rate (a second) goes evenly from one value to another. One without
    /// length adds nothing.
    #[must_use]
    pub(super) fn then(mut self, length: f64, from: f64, to: f64) -> Self {
        if length > 0.0 {
            let piece = Piece {
                start: self.end,
                length,
                from,
                slope: (to - from) / length,
                before: self.total,
            };
            self.end += length;
            self.total = piece.intended(self.end);
            self.pieces.push(piece);
        }
        self
    }

    /// Ends with this rate, for as long as the phase goes on.
    #[must_use]
    pub(super) fn finally(mut self, rate: f64) -> Self {
        self.pieces.push(Piece {
            start: self.end,
            length: f64::INFINITY,
            from: rate,
            slope: 0.0,
            before: self.total,
        });
        self
    }
}

impl Intensity for Curve {
    fn intended(&self, seconds: f64) -> f64 {
        let next = self.pieces.partition_point(|piece| piece.start <= seconds);
        let piece = next.checked_sub(1).and_then(|place| self.pieces.get(place));
        piece.map_or(0.0, |piece| piece.intended(seconds))
    }

    fn reached(&self, arrivals: f64) -> f64 {
        let next = self
            .pieces
            .partition_point(|piece| piece.before <= arrivals);
        let piece = next.checked_sub(1).and_then(|place| self.pieces.get(place));
        piece.map_or(f64::INFINITY, |piece| piece.reached(arrivals))
    }
}
