# SPDX-License-Identifier: GPL-2.0
# gnuplot -e "data='bench.tsv'; picture='bench.svg'" bench.gnuplot
set terminal svg size 900,420 dynamic background "white"
set output picture
set title "mc_memcpy() next to memcpy(): 1 is as fast, 2 twice as fast"
set xlabel "bytes"
set ylabel "memcpy() time / mc_memcpy() time"
set logscale x 2
set format x "%.0b%B"
set xrange [64:67108864]
set yrange [0:1.5]
set grid
set key bottom right
plot 1 with lines dashtype 2 linecolor rgb "gray" notitle, \
	data index 0 using 1:6 with linespoints title "both aligned", \
	data index 1 using 1:6 with linespoints title "source 5 bytes off a line", \
	data index 2 using 1:6 with linespoints title "source 13, destination 29 off"
