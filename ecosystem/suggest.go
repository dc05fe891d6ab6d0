package ecosystem

import "strings"

// nearest returns the candidate that a typist most likely meant by key, "" when none is near.
func nearest(key string, candidates []string) string {
	best, distance := "", len(key)/3+1
	if distance > 3 {
		distance = 3
	}
	key = fold(key)
	if len(key) > 64 {
		return ""
	}
	for _, c := range candidates {
		if d := edits(key, fold(c)); d < distance || d == distance && best == "" {
			best, distance = c, d
		}
	}
	return best
}

// fold makes spellings comparable that differ in case, dashes and underscores only.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// edits counts insertions, deletions, substitutions and swaps of neighbours (Damerau's
// distance, restricted to one edit of a place).
func edits(a, b string) int {
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}
