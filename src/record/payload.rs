//! The payload of a line of `histograms.hlog`: the V2 encoding of HdrHistogram, deflated.
//!
//! Pure. The library's own serialiser makes a compressor of a third of a megabyte for each histogram, and its deserialiser a
//! histogram of a quarter; a worker writes some dozens of histograms a second, and a report reads hundreds of thousands, so both
//! keep here what they need from one to the next. What is written is read by every implementation of HdrHistogram, and the other
//! way round; tests hold this file and the library to each other. The format:
//! <https://github.com/HdrHistogram/HdrHistogram/blob/master/src/main/java/org/HdrHistogram/AbstractHistogram.java>
//! (`encodeIntoByteBuffer`, `encodeIntoCompressedByteBuffer`).

use std::io::{self, Write};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use hdrhistogram::serialization::{Serializer, V2SerializeError, V2Serializer};
use hdrhistogram::{Counter, Histogram};
use thiserror::Error;

/// What a deflated V2 payload begins with.
const DEFLATED: u32 = 0x1c84_9314;
/// What a V2 payload begins with.
const PLAIN: u32 = 0x1c84_9313;
/// Bytes of the header of a V2 payload: cookie, length, offset, digits, lowest, highest, ratio.
const HEADER: usize = 40;
/// The longest payload that is believed to be one, bytes: 9 for each of the counts of the largest histogram of the format, twice.
const LONGEST: usize = 1 << 20;
/// More digits than these no histogram has.
const MOST_DIGITS: u32 = 5;

/// Why something is no payload.
#[derive(Debug, Error)]
pub(crate) enum PayloadError {
    /// It is not what HdrHistogram writes.
    #[error("its payload is not of V2 with deflate")]
    Form,
    /// The compressed part cannot be read.
    #[error("its payload cannot be inflated")]
    Inflate(#[source] flate2::DecompressError),
    /// There is more than a histogram can hold.
    #[error("its payload is longer than its range")]
    Length,
}

/// Writes payloads; serves one histogram after the other.
pub(crate) struct Deflater {
    plain: V2Serializer,
    bytes: Vec<u8>,
    compress: Compress,
}

impl Default for Deflater {
    fn default() -> Self {
        Self {
            plain: V2Serializer::new(),
            bytes: Vec::new(),
            compress: Compress::new(Compression::fast(), true),
        }
    }
}

impl Serializer for Deflater {
    type SerializeError = V2SerializeError;

    fn serialize<T: Counter, W: Write>(
        &mut self,
        histogram: &Histogram<T>,
        writer: &mut W,
    ) -> Result<usize, V2SerializeError> {
        self.bytes.clear();
        self.plain.serialize(histogram, &mut self.bytes)?;
        self.compress.reset();
        // What does not shrink grows by five bytes for each block of at least 16 KiB, and zlib's own head and tail.
        let mut deflated = Vec::with_capacity(self.bytes.len() + self.bytes.len() / 1024 + 64);
        let status = self
            .compress
            .compress_vec(&self.bytes, &mut deflated, FlushCompress::Finish);
        if !matches!(status, Ok(Status::StreamEnd)) {
            return Err(io::Error::other("the compressor did not come to an end").into());
        }
        let length = u32::try_from(deflated.len()).map_err(io::Error::other)?;
        writer.write_all(&DEFLATED.to_be_bytes())?;
        writer.write_all(&length.to_be_bytes())?;
        writer.write_all(&deflated)?;
        Ok(deflated.len() + 8)
    }
}

/// Reads payloads; serves one after the other.
pub(crate) struct Inflater {
    /// Always [`LONGEST`] bytes: the room for what is inflated.
    bytes: Vec<u8>,
    decompress: Decompress,
}

impl Default for Inflater {
    fn default() -> Self {
        Self {
            bytes: vec![0; LONGEST],
            decompress: Decompress::new(true),
        }
    }
}

impl Inflater {
    /// The values of a histogram and how often each was recorded, rising. A value is the greatest that the histogram cannot
    /// tell from what was recorded.
    pub(crate) fn counts(&mut self, payload: &[u8]) -> Result<Vec<(u64, u64)>, PayloadError> {
        let (cookie, rest) = word(payload)?;
        let (length, rest) = word(rest)?;
        let length = usize::try_from(length).map_err(|_| PayloadError::Form)?;
        let deflated = rest.get(..length).ok_or(PayloadError::Form)?;
        if cookie != DEFLATED {
            return Err(PayloadError::Form);
        }
        let plain = self.inflate(deflated)?;
        let scale = Scale::of(plain)?;
        scale.read(plain.get(HEADER..).ok_or(PayloadError::Form)?)
    }

    /// Inflates all of it at once, for which there is room if it is no longer than [`LONGEST`].
    fn inflate(&mut self, deflated: &[u8]) -> Result<&[u8], PayloadError> {
        self.decompress.reset(true);
        let status = self
            .decompress
            .decompress(deflated, &mut self.bytes, FlushDecompress::Finish)
            .map_err(PayloadError::Inflate)?;
        let length = usize::try_from(self.decompress.total_out()).unwrap_or(usize::MAX);
        match status {
            Status::StreamEnd => self.bytes.get(..length).ok_or(PayloadError::Length),
            Status::Ok | Status::BufError if length >= self.bytes.len() => {
                Err(PayloadError::Length)
            }
            Status::Ok | Status::BufError => Err(PayloadError::Form),
        }
    }
}

/// Which value stands at which place of the counts: 2^(k+1) linear steps up to twice the resolution, and 2^k for each doubling
/// after that.
#[derive(Clone, Copy, Debug)]
struct Scale {
    /// The power of two of the least step.
    unit: u32,
    /// k.
    half: u32,
    /// How many places there are.
    places: u64,
}

impl Scale {
    /// The scale that the header of a V2 payload describes.
    fn of(plain: &[u8]) -> Result<Self, PayloadError> {
        let (cookie, rest) = word(plain)?;
        let (_length, rest) = word(rest)?;
        let (_offset, rest) = word(rest)?;
        let (digits, rest) = word(rest)?;
        let (lowest, rest) = long(rest)?;
        let (highest, _ratio) = long(rest)?;
        if cookie != PLAIN || digits > MOST_DIGITS || lowest == 0 || highest < lowest {
            return Err(PayloadError::Form);
        }
        let unit = lowest.ilog2();
        // The least power of two of steps that tells values apart to so many digits.
        let half = (2 * 10_u64.pow(digits)).next_power_of_two().ilog2() - 1;
        let steps = highest >> unit;
        // One doubling holds 2^(k+1) steps, each further one doubles their number.
        let doublings = (u64::BITS - steps.leading_zeros()).saturating_sub(half + 1) + 1;
        if doublings + half + unit >= u64::BITS {
            return Err(PayloadError::Form);
        }
        Ok(Self {
            unit,
            half,
            places: u64::from(doublings + 1) << half,
        })
    }

    /// The greatest value that stands at this place.
    fn value(&self, place: u64) -> u64 {
        let doubling = (place >> self.half).saturating_sub(1);
        let step = if place >> self.half == 0 {
            place
        } else {
            (place & ((1 << self.half) - 1)) + (1 << self.half)
        };
        // `places` bounds the shift below 64.
        let shift = u32::try_from(doubling).unwrap_or(0) + self.unit;
        ((step + 1) << shift) - 1
    }

    /// Counts are variable-length integers in zigzag form; one below zero stands for so many zeros.
    fn read(&self, mut bytes: &[u8]) -> Result<Vec<(u64, u64)>, PayloadError> {
        let mut counts = Vec::with_capacity(bytes.len());
        let mut place = 0_u64;
        while !bytes.is_empty() {
            let (zigzag, rest) = variable(bytes)?;
            bytes = rest;
            let half = zigzag >> 1;
            if zigzag & 1 == 1 {
                place = place.saturating_add(half).saturating_add(1);
            } else {
                if place >= self.places {
                    return Err(PayloadError::Length);
                }
                if half > 0 {
                    counts.push((self.value(place), half));
                }
                place += 1;
            }
        }
        if place > self.places {
            return Err(PayloadError::Length);
        }
        Ok(counts)
    }
}

fn word(bytes: &[u8]) -> Result<(u32, &[u8]), PayloadError> {
    let (word, rest) = bytes.split_first_chunk().ok_or(PayloadError::Form)?;
    Ok((u32::from_be_bytes(*word), rest))
}

fn long(bytes: &[u8]) -> Result<(u64, &[u8]), PayloadError> {
    let (long, rest) = bytes.split_first_chunk().ok_or(PayloadError::Form)?;
    Ok((u64::from_be_bytes(*long), rest))
}

/// LEB128 of at most nine bytes, the last of which is whole.
fn variable(bytes: &[u8]) -> Result<(u64, &[u8]), PayloadError> {
    let mut value = 0_u64;
    for (number, byte) in bytes.iter().take(9).enumerate() {
        let shift = 7 * u32::try_from(number).unwrap_or(0);
        let last = number == 8;
        let part = if last { *byte } else { byte & 0x7f };
        value |= u64::from(part) << shift;
        if last || byte & 0x80 == 0 {
            return Ok((value, bytes.get(number + 1..).unwrap_or_default()));
        }
    }
    Err(PayloadError::Form)
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::{Deserializer, V2DeflateSerializer};
    use proptest::prelude::*;

    use super::*;
    use crate::record::tag::{DIGITS, HIGHEST, LOWEST};

    fn histogram(values: &[(u64, u64)], digits: u8) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(LOWEST, HIGHEST, digits).unwrap();
        for (value, count) in values {
            histogram.saturating_record_n(*value, *count);
        }
        histogram
    }

    fn counts(histogram: &Histogram<u64>) -> Vec<(u64, u64)> {
        histogram
            .iter_recorded()
            .map(|step| {
                let value = histogram.highest_equivalent(step.value_iterated_to());
                (value, step.count_since_last_iteration())
            })
            .collect()
    }

    /// Times that are as far apart as those of calls: from below the least to above the greatest.
    fn values() -> impl Strategy<Value = Vec<(u64, u64)>> {
        let value = (0_u32..41, any::<u64>()).prop_map(|(bits, value)| value & ((1 << bits) - 1));
        proptest::collection::vec((value, prop_oneof![1_u64..4, 1_u64..1 << 40]), 0..300)
    }

    proptest! {
        #[test]
        fn what_is_written_the_library_reads(values in values()) {
            let mut deflater = Deflater::default();
            // The second shows what the first left behind.
            for part in [&values[..], &values[..values.len() / 2]] {
                let wanted = histogram(part, DIGITS);
                let mut bytes = Vec::new();
                let length = deflater.serialize(&wanted, &mut bytes).unwrap();
                prop_assert_eq!(length, bytes.len());
                let found: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
                prop_assert_eq!(counts(&found), counts(&wanted));
                prop_assert_eq!(Inflater::default().counts(&bytes).unwrap(), counts(&wanted));
            }
        }

        #[test]
        fn what_the_library_writes_is_read(values in values(), digits in 1_u8..=4) {
            let mut inflater = Inflater::default();
            for part in [&values[..], &values[..values.len() / 2]] {
                let wanted = histogram(part, digits);
                let mut bytes = Vec::new();
                V2DeflateSerializer::new().serialize(&wanted, &mut bytes).unwrap();
                prop_assert_eq!(inflater.counts(&bytes).unwrap(), counts(&wanted));
            }
        }

        #[test]
        fn what_is_damaged_is_refused_or_read_and_never_more(
            values in values(), place in 0_usize..4096, byte in any::<u8>(), cut in 0_usize..4096,
        ) {
            let mut plain = Vec::new();
            V2Serializer::new().serialize(&histogram(&values, DIGITS), &mut plain).unwrap();
            let place = place % plain.len();
            plain[place] = byte;
            plain.truncate(plain.len() - cut % plain.len() / 2);
            let mut deflated = Vec::new();
            Compress::new(Compression::fast(), true)
                .compress_vec(&plain, { deflated.reserve(plain.len() + 128); &mut deflated }, FlushCompress::Finish)
                .unwrap();
            let mut bytes = DEFLATED.to_be_bytes().to_vec();
            bytes.extend(u32::try_from(deflated.len()).unwrap().to_be_bytes());
            bytes.extend(&deflated);
            let mut inflater = Inflater::default();
            if let Ok(counts) = inflater.counts(&bytes) {
                prop_assert!(counts.is_sorted_by(|one, other| one.0 < other.0));
            }
            bytes.truncate(bytes.len() / 2);
            prop_assert!(inflater.counts(&bytes).is_err());
        }
    }

    #[test]
    fn a_payload_that_grows_without_end_is_refused() {
        let mut deflated = Vec::with_capacity(1 << 20);
        Compress::new(Compression::best(), true)
            .compress_vec(&vec![0; 64 << 20], &mut deflated, FlushCompress::Finish)
            .unwrap();
        let mut bytes = DEFLATED.to_be_bytes().to_vec();
        bytes.extend(u32::try_from(deflated.len()).unwrap().to_be_bytes());
        bytes.extend(&deflated);
        let error = Inflater::default().counts(&bytes).unwrap_err();
        assert!(matches!(error, PayloadError::Length), "{error}");
    }
}
