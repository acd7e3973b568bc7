package dashboard

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestContrast: text has 4.5:1 on what it stands on and drawings have 3:1, in
// both themes (WCAG 2.2, 1.4.3 and 1.4.11, level AA).
func TestContrast(t *testing.T) {
	css, err := files.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	light, rest, ok := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("there is no dark theme")
	}
	dark, _, _ := strings.Cut(rest, "}\n}")
	for theme, text := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z0-9-]+): #([0-9a-f]{6})`).FindAllStringSubmatch(text, -1) {
			colours[m[1]] = m[2]
		}
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"text", "card", 4.5}, {"text", "page", 4.5}, {"soft", "card", 4.5}, {"soft", "page", 4.5},
			{"accent", "card", 4.5}, {"accent", "page", 4.5}, {"on-accent", "accent", 4.5},
			{"good", "good-soft", 4.5}, {"warn", "warn-soft", 4.5}, {"bad", "bad-soft", 4.5}, {"off", "off-soft", 4.5},
			{"text", "good-soft", 4.5}, {"text", "warn-soft", 4.5}, {"text", "bad-soft", 4.5}, {"text", "off-soft", 4.5},
			{"good", "card", 3}, {"warn", "card", 3}, {"bad", "card", 3}, {"off", "card", 3}, {"good", "track", 3}, {"bad", "track", 3},
			{"c1", "card", 3}, {"c2", "card", 3}, {"c3", "card", 3}, {"c4", "card", 3}, {"c5", "card", 3}, {"c6", "card", 3}, {"c1", "track", 3},
		} {
			a, b := luminance(t, colours[pair.front]), luminance(t, colours[pair.back])
			if got := (max(a, b) + 0.05) / (min(a, b) + 0.05); got < pair.least {
				t.Errorf("%s: %s on %s has a contrast of %.2f; want %v", theme, pair.front, pair.back, got, pair.least)
			}
		}
	}
}

// luminance is the relative luminance of WCAG.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) != 6 {
		t.Fatalf("%q is no colour", hex)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

// TestPagesKeepThePolicy: no style, script or handler in a page, nothing from
// elsewhere.
func TestPagesKeepThePolicy(t *testing.T) {
	entries, err := files.ReadDir("pages")
	if err != nil {
		t.Fatal(err)
	}
	banned := regexp.MustCompile(`(?i)\sstyle=|<style|\son[a-z]+=|javascript:|(src|href)="(https?:)?//|<script>`)
	for _, e := range entries {
		page, err := files.ReadFile("pages/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if found := banned.Find(page); found != nil {
			t.Errorf("%s has %q", e.Name(), found)
		}
	}
	css, err := files.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(css), "url(") || strings.Contains(string(css), "@import") {
		t.Error("the style sheet fetches something")
	}
}
