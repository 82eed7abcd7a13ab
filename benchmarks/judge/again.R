# Repeated infusion: gls with an unstructured covariance of visits on values made by a formula (no random numbers, so
# that the test makes the same ones): 48 subjects, arms by turns, every third treated subject infused again.
suppressMessages(library(nlme))
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
d$visit <- factor(d$place)
d$first <- as.numeric(d$nth == 1)
d$later <- as.numeric(d$nth >= 2)
fit <- gls(value ~ visit * treated + visit * baseline + first + later, data = d, method = "REML",
  correlation = corSymm(form = ~ place | i), weights = varIdent(form = ~ 1 | visit),
  control = glsControl(tolerance = 1e-10, msTol = 1e-12, msMaxIter = 500, maxIter = 500))
say("second", coef(fit)["first"])
say("log_likelihood", logLik(fit))
arm <- c(treated = 1, `visit2:treated` = 1)
say("first.place2", sum(arm * coef(fit)[names(arm)]))
