# Proportional-odds refits of ordinal::clm or rms::lrm.fit on given resamples.
#   Rscript ordinal.R FOLDER clm|lrm REPEATS
# FOLDER holds data.csv (y, x1, x2, ...) and rows.csv (one resample a line, rows from 0).
# Writes PEER_estimates.csv (ok, slopes) and PEER_seconds.csv (processor seconds of each repeat).
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
peer <- arguments[2]
repeats <- as.integer(arguments[3])
data <- read.csv(file.path(folder, "data.csv"))
rows <- as.matrix(read.csv(file.path(folder, "rows.csv"), header = FALSE)) + 1L
slopes <- setdiff(names(data), "y")
if (peer == "clm") {
  suppressMessages(library(ordinal))
  formula <- reformulate(slopes, "y")
  data$y <- factor(data$y)
  refit <- function(chosen) {
    fit <- clm(formula, data = data[chosen, ])
    c(fit$convergence$code == 0, fit$beta[slopes])
  }
} else {
  suppressMessages(library(rms))
  x <- as.matrix(data[slopes])
  refit <- function(chosen) {
    fit <- lrm.fit(x[chosen, ], data$y[chosen])
    if (is.null(fit$coefficients) || fit$fail) return(c(0, rep(NA, length(slopes))))
    c(1, fit$coefficients[slopes])
  }
}
found <- matrix(NA_real_, nrow(rows), 1 + length(slopes))
every <- function(numbers) {
  for (r in numbers) {
    found[r, ] <<- tryCatch(suppressWarnings(refit(rows[r, ])),
                            error = function(e) c(0, rep(NA, length(slopes))))
  }
}
every(seq_len(min(50, nrow(rows))))
seconds <- replicate(repeats, {
  taken <- system.time(every(seq_len(nrow(rows))))
  taken[["user.self"]] + taken[["sys.self"]]
})
write.table(format(found, digits = 16), file.path(folder, paste0(peer, "_estimates.csv")),
            sep = ",", quote = FALSE, row.names = FALSE, col.names = FALSE)
writeLines(format(seconds, digits = 6), file.path(folder, paste0(peer, "_seconds.csv")))
