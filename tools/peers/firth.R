# Refits of a logistic regression with Firth's bias reduction by brglm2 on given resamples.
#   Rscript firth.R FOLDER REPEATS
# FOLDER, and what is written, are those of ordinal.R; y is 0 or 1, the estimates start with the
# intercept, and files are named brglm2_*.
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
repeats <- as.integer(arguments[2])
suppressMessages(library(brglm2))
data <- read.csv(file.path(folder, "data.csv"))
rows <- as.matrix(read.csv(file.path(folder, "rows.csv"), header = FALSE)) + 1L
slopes <- setdiff(names(data), "y")
formula <- reformulate(slopes, "y")
refit <- function(chosen) {
  fit <- glm(formula, binomial(), data[chosen, ], method = "brglmFit", type = "AS_mean")
  c(fit$converged, fit$coefficients)
}
found <- matrix(NA_real_, nrow(rows), 2 + length(slopes))
every <- function(numbers) {
  for (r in numbers) {
    found[r, ] <<- tryCatch(suppressWarnings(refit(rows[r, ])),
                            error = function(e) c(0, rep(NA, 1 + length(slopes))))
  }
}
every(seq_len(min(50, nrow(rows))))
seconds <- replicate(repeats, {
  taken <- system.time(every(seq_len(nrow(rows))))
  taken[["user.self"]] + taken[["sys.self"]]
})
write.table(format(found, digits = 16), file.path(folder, "brglm2_estimates.csv"),
            sep = ",", quote = FALSE, row.names = FALSE, col.names = FALSE)
writeLines(format(seconds, digits = 6), file.path(folder, "brglm2_seconds.csv"))
