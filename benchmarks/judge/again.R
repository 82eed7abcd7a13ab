# Repeated infusion: lm and clubSandwich's CR2 with Satterthwaite's degrees of freedom on values made by a formula (no random
# numbers, so that the test makes the same ones): 48 subjects, arms by turns, every third treated subject infused again.
suppressMessages(library(clubSandwich))
d <- expand.grid(place = 0:4, i = 1:48)
d <- within(d, {
  day <- c(0, 30, 90, 180, 270)[place + 1]
  treated <- i %% 2
  again <- ifelse(treated == 1 & i %% 3 == 0, ifelse(i %% 4 == 1, 100, 190), Inf)
  value <- 5 + sin(1.7 * i) + 0.5 * cos(2.3 * i * (place + 1)) + 0.3 * sin(i * i + place) - 0.2 * place * treated
  second <- as.numeric(day > again)
})
d$nth <- ave(d$second, d$i, FUN = cumsum)
d$value <- d$value - 0.4 * (d$nth == 1)
d$baseline <- d$value[d$place == 0][d$i]
d <- d[d$place > 0 & !(d$place == 3 & d$i %% 7 == 0), ]
d$nth <- ave(d$second, d$i, FUN = cumsum)  # of the visits that are there
d <- d[order(d$i, d$place), ]
own <- split(d, d$i)
d <- do.call(rbind, lapply(own, function(s) {
  n <- nrow(s)
  s$last <- c(s$baseline[1], s$value)[seq_len(n)]
  s$between <- sapply(seq_len(n), function(k) if (k > 2) mean(s$value[1:(k - 2)]) else NA)
  s
}))
steps <- d[d$treated == 1 & d$nth <= 1, ]
share <- ave(as.numeric(steps$nth == 1), steps$place)
steps <- steps[share > 0 & share < 1, ]
for (p in unique(steps$place)) {  # where there is no visit between: as the others of the visit
  at <- steps$place == p
  steps$between[at & is.na(steps$between)] <- mean(steps$between[at], na.rm = TRUE)
}
steps$between[is.nan(steps$between)] <- 0
month3 <- d[d$place == 2, ]
a <- with(steps, data.frame(i, y = value, second = as.numeric(nth == 1), treat = 0, block = 1, place, last, baseline, between))
b <- with(month3, data.frame(i, y = value, second = 0, treat = treated, block = 2, place, last = 0, baseline, between = 0))
both <- rbind(a, b)
both$cell <- factor(paste(both$block, both$place))
both$first <- as.numeric(both$block == 1)
fit <- lm(y ~ second + treat + cell + cell:baseline + cell:I(last * first) + cell:I(between * first), both)
less <- lm(y ~ second + I(second + treat) + cell + cell:baseline + cell:I(last * first) + cell:I(between * first), both)
test <- function(name, fit, row) {
  found <- coef_test(fit, vcov = "CR2", cluster = both$i, test = "Satterthwaite", coefs = row)
  say(paste0(name, ".estimate"), found$beta)
  say(paste0(name, ".se"), found$SE)
  say(paste0(name, ".df"), found$df_Satt)
  say(paste0(name, ".p"), found$p_Satt)
}
test("second", fit, "second")
test("first.place2", fit, "treat")
test("less", less, "second")
