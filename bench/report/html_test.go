package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
)

// keepPage is for looking at the page in a browser.
var keepPage = flag.String("page", "", "write the page of the sample to this file")

func pageOf(t *testing.T, results ...*Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteHTML(&b, results...); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPageStandsAlone: a page with every kind of plot is well-formed, and no
// part of it is elsewhere: no script, no address but its own.
func TestPageStandsAlone(t *testing.T) {
	r := sample()
	r.Name, r.Title = "<script>alert(1)</script>", `<img src="https://a.example/">&`
	r.Command = "bench x --nodes https://one.example"
	page := pageOf(t, r, sample())
	if *keepPage != "" {
		if err := os.WriteFile(*keepPage, []byte(pageOf(t, sample())), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	elements := map[string]int{}
	in := xml.NewDecoder(strings.NewReader(page)) // strict: each element ends where it should
	for {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		elements[e.Name.Local]++
		for _, a := range e.Attr {
			switch name := strings.ToLower(a.Name.Local); {
			case name == "href" && strings.HasPrefix(a.Value, "#"):
			case name == "src", name == "href", strings.HasPrefix(name, "on"), strings.Contains(a.Value, "url("):
				t.Errorf("<%s %s=%q>", e.Name.Local, a.Name.Local, a.Value)
			}
		}
	}
	for _, foreign := range []string{"script", "img", "link", "iframe", "object", "image", "use"} {
		if elements[foreign] > 0 {
			t.Errorf("there are %d <%s>", elements[foreign], foreign)
		}
	}
	if found := regexp.MustCompile(`@import|url\(`).FindString(pageStyle); found != "" {
		t.Errorf("the style sheet has %s", found)
	}
	// Each of the plots twice, for wide and for narrow screens, on both results.
	if want := 2 * 2 * 8; elements["svg"] != want {
		t.Errorf("there are %d drawings, want %d", elements["svg"], want)
	}
}

// TestPlotsTakeThePagesColours: what was drawn in a fixed colour or with a font
// of its own could not be read in the dark.
func TestPlotsTakeThePagesColours(t *testing.T) {
	page := pageOf(t, sample())
	drawings := page[strings.Index(page, "<svg"):]
	if fixed := regexp.MustCompile(`(fill|stroke):(#|black|rgb)[^;"]*|font-family[^;"]*|url\([^)]*\)`).FindString(drawings); fixed != "" {
		t.Errorf("a plot has %s", fixed)
	}
	used := regexp.MustCompile(`var\((--[a-z0-9]+)\)`).FindAllStringSubmatch(page, -1)
	if len(used) == 0 {
		t.Error("no plot has a colour")
	}
	for _, name := range used {
		if n := strings.Count(pageStyle, name[1]+":"); n != 2 && name[1] != "--key" {
			t.Errorf("%s is set %d times, want twice: for light and for dark", name[1], n)
		}
	}
}

func TestPageSaysWhatIsToBeDoubted(t *testing.T) {
	r := sample()
	r.Noise = nil
	if strings.Contains(pageOf(t, r), "This run is noisy") {
		t.Error("a calm run is called noisy")
	}
	r.Doubt("The fan was loud.")
	page := pageOf(t, r)
	if !strings.Contains(page, "This run is noisy") || !strings.Contains(page, "The fan was loud.") {
		t.Error("the reason for doubt is missing")
	}
	if !strings.Contains(page, `class="bad"`) {
		t.Error("a broken promise does not stand out")
	}
}
