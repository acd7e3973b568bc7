package report

import (
	"fmt"
	"image/color"
	"math"
	"regexp"
	"strconv"
)

// ink is a colour that the page chooses, so that one drawing is readable in
// light and in dark: it is drawn as a number, which [themed] replaces by a CSS
// variable.
type ink struct {
	code  uint8
	alpha float64
}

const (
	inkText uint8 = iota
	inkMuted
	inkGrid
	inkPaper
	inkSeries // and those after it
)

// seriesColours is how many the style sheet has.
const seriesColours = 8

func solid(code uint8) color.Color { return ink{code, 1} }

func faint(code uint8, alpha float64) color.Color { return ink{code, alpha} }

func seriesInk(i int) uint8 { return inkSeries + uint8(i%seriesColours) }

const marker = 0xC0 // no colour of ours begins otherwise

// RGBA is part of color.Color. The canvas divides by alpha and rounds down, so
// this rounds up.
func (c ink) RGBA() (r, g, b, a uint32) {
	full := c.alpha * math.MaxUint16
	part := func(v uint8) uint32 { return uint32(math.Ceil(float64(v) * math.Floor(full) / 255)) }
	return part(marker), 0, part(c.code), uint32(full)
}

var drawnInk = regexp.MustCompile(`#C000([0-9A-F]{2})`)

func themed(svg []byte) []byte {
	return drawnInk.ReplaceAllFunc(svg, func(hex []byte) []byte {
		code, _ := strconv.ParseUint(string(hex[5:]), 16, 8) // two hexadecimal digits
		return []byte("var(" + variable(uint8(code)) + ")")
	})
}

// variable returns the name of a colour in the style sheet.
func variable(code uint8) string {
	switch code {
	case inkText:
		return "--text"
	case inkMuted:
		return "--muted"
	case inkGrid:
		return "--grid"
	case inkPaper:
		return "--paper"
	default:
		return fmt.Sprint("--series", code-inkSeries)
	}
}
