// Package strict reads what strangers send in the one form that it may have: JSON
// objects without duplicate names, canonical base64url, dates that no float has
// rounded. Where other libraries are lenient, one token would have several spellings.
package strict
