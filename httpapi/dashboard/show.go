package dashboard

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// showSeconds is showDuration for what may be NaN.
func showSeconds(s float64) string {
	if math.IsNaN(s) {
		return "-"
	}
	return showDuration(time.Duration(s * float64(time.Second)))
}

// showDuration writes a duration with two or three digits.
func showDuration(d time.Duration) string {
	switch ms := float64(d) / float64(time.Millisecond); {
	case ms < 10:
		return strconv.FormatFloat(math.Round(100*ms)/100, 'g', -1, 64) + " ms"
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d days", int(d.Hours())/24)
	}
}

// showCount groups digits by thousands.
func showCount[T ~int | ~uint64](n T) string {
	s := strconv.FormatUint(uint64(n), 10)
	var out strings.Builder
	for i, digit := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			out.WriteByte(' ')
		}
		out.WriteRune(digit)
	}
	return out.String()
}

// showNumber writes a rate.
func showNumber(v float64) string {
	if v >= 1000 {
		return showCount(uint64(math.Round(v)))
	}
	return strconv.FormatFloat(math.Round(100*v)/100, 'g', -1, 64)
}

// showBytes writes an amount of memory.
func showBytes[T ~int | ~uint64](n T) string {
	v, unit := float64(n), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if v < 1024 {
			break
		}
		v, unit = v/1024, next
	}
	return strconv.FormatFloat(math.Round(10*v)/10, 'g', -1, 64) + " " + unit
}

func showTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func showClock(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// short cuts a name that came from elsewhere, for where there is little room.
func short(s string, runes int) string {
	r := []rune(s)
	if len(r) <= runes {
		return s
	}
	return string(r[:runes-1]) + "…"
}
