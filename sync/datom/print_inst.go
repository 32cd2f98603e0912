package datom

import "fmt"

// Days since 1970-01-01, in milliseconds and in calendars.
const (
	dayMillis = 24 * 60 * 60 * 1000
	// cutover is the day from which java.util.GregorianCalendar, and so
	// Clojure's #inst, counts by the Gregorian calendar: 1582-10-15. Before
	// that it is the Julian one.
	cutover = -141427
	// marchJulian and marchGregorian are the days from the first of March of
	// the year 0 of each calendar to the epoch.
	marchJulian    = 719470
	marchGregorian = 719468
)

// appendInst prints milliseconds since the epoch as yyyy-MM-ddTHH:mm:ss.SSS-00:00.
// Years have four digits or more; those before 1 are printed as Java does,
// counted backwards and without the era: 1 BC is 0001.
func appendInst(dst []byte, ms int64) []byte {
	day, rest := floor(ms, dayMillis)
	y, m, d := civil(day)
	if y <= 0 {
		y = 1 - y
	}
	return fmt.Appendf(dst, "%04d-%02d-%02dT%02d:%02d:%02d.%03d-00:00",
		y, m, d, rest/3_600_000, rest/60_000%60, rest/1000%60, rest%1000)
}

// civil is the date of a day since the epoch. Years begin in March here, so
// that the day that leap years add is their last.
func civil(day int64) (y, m, d int64) {
	var inYear int64
	if day >= cutover {
		cycle, in := floor(day+marchGregorian, 146_097) // 400 years
		century := min(in/36_524, 3)
		in -= century * 36_524
		four, in := floor(in, 1461)
		one := min(in/365, 3)
		y, inYear = 400*cycle+100*century+4*four+one, in-365*one
	} else {
		four, in := floor(day+marchJulian, 1461)
		one := min(in/365, 3)
		y, inYear = 4*four+one, in-365*one
	}
	month := (5*inYear + 2) / 153 // since March; five months have 153 days
	d = inYear - (153*month+2)/5 + 1
	if month >= 10 {
		return y + 1, month - 9, d
	}
	return y, month + 3, d
}

// floor divides and rounds down; the remainder is never negative.
func floor(a, b int64) (quotient, remainder int64) {
	quotient, remainder = a/b, a%b
	if remainder < 0 {
		return quotient - 1, remainder + b
	}
	return quotient, remainder
}
