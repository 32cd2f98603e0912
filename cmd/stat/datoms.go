package stat

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/pterm/pterm"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// chartWidth is how many columns the longest bar of a chart has.
const chartWidth = 50

// datoms prints what the datoms of a value are.
func datoms(ctx context.Context, remote string) error {
	v, err := cli.View(ctx, remote, at, branch)
	if err != nil {
		return err
	}
	defer func() { _ = v.Close() }()
	rep, err := dbsync.StatDatoms(ctx, v)
	if err != nil {
		return err
	}
	if asJSON {
		return cli.PrintJSON(rep)
	}
	if !cli.Terminal() || os.Getenv("NO_COLOR") != "" {
		pterm.DisableColor()
	}
	return printDatoms(os.Stdout, rep)
}

// printDatoms shows the report as tables and a chart.
func printDatoms(out io.Writer, rep *dbsync.DatomStat) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	of := string(rep.Kind) + " " + rep.Database
	if rep.Branch != "" {
		of += ", branch " + rep.Branch
	}
	if rep.Point != "" {
		of += ", point " + rep.Point
	}
	line("%s: %d datoms at t %d, values of %s\n", of, rep.Datoms, rep.T, cli.Bytes(rep.Bytes))
	line("ATTRIBUTE\tDATOMS\tSIZE")
	for _, a := range rep.Attributes {
		line("%s\t%d\t%s", a.Attr, a.Datoms, cli.Bytes(a.Bytes))
	}
	line("\nINDEX\tDATOMS")
	for _, i := range rep.Indexes {
		line("%s\t%d", i.Index, i.Datoms)
	}
	line("\nLARGEST VALUES\tATTRIBUTE\tENTITY")
	for _, v := range rep.Largest {
		line("%s\t%s\t%d", cli.Bytes(v.Bytes), v.Attr, v.E)
	}
	if err := w.Flush(); err != nil || len(rep.Times) == 0 {
		return err
	}
	chart, err := timeChart(rep)
	if err == nil {
		_, err = fmt.Fprintf(out, "\nDATOMS BY %s OF THEIR TRANSACTION\n%s\n", strings.ToUpper(rep.Period), chart)
	}
	return err
}

// timeChart draws when the datoms came to be.
func timeChart(rep *dbsync.DatomStat) (string, error) {
	form := map[string]string{"day": "2006-01-02", "month": "2006-01", "year": "2006"}[rep.Period]
	var bars pterm.Bars
	for _, t := range rep.Times {
		bars = append(bars, pterm.Bar{Label: t.From.Format(form), Value: int(t.Datoms)})
	}
	text, err := pterm.DefaultBarChart.WithBars(bars).WithHorizontal().WithShowValue().WithWidth(chartWidth).Srender()
	var lines []string
	for l := range strings.SplitSeq(text, "\n") {
		if l = strings.TrimRight(l, " "); l != "" { // the chart has margins
			lines = append(lines, l)
		}
	}
	return strings.Join(lines, "\n"), err
}
